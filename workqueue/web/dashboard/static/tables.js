// The two tables: what runs and waits, and what has ended. A row stays the same element for as long as its job is there,
// so that the focus, a selection, and a screen reader's place stay where they are.

import { askToCancel, showStderr } from "./dialogs.js";
import { counted, duration, number, roughDuration, shortKey } from "./words.js";

// Rows of jobs that have ended; the filter is for finding those that failed among more.
const MAX_ENDS = 50;

const element = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Change a text only if it is another: a change is work for a browser, and news for a screen reader. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function cell(label, ...children) {
  const made = make("td", {}, ...children);
  made.setAttribute("role", "cell");
  made.dataset.label = label; // what stands before it where a row is a card
  return made;
}

function row(key) {
  const code = make("code", { textContent: shortKey(key), title: key });
  const head = make("th", { scope: "row" }, code);
  head.setAttribute("role", "rowheader");
  const made = make("tr", {}, head);
  made.setAttribute("role", "row");
  return made;
}

/** Give a table these rows, in this order; `rows` keeps them by their name from one time to the next. */
function reconcile(table, rows, items, nameOf, makeRow) {
  const body = table.tBodies[0];
  const focused = document.activeElement;
  const hadFocus = body.contains(focused);
  const wanted = new Map(items.map((item) => [nameOf(item), item]));
  for (const [name, { line }] of rows) {
    if (!wanted.has(name)) {
      line.remove();
      rows.delete(name);
    }
  }
  let place = body.firstElementChild;
  for (const [name, item] of wanted) {
    if (!rows.has(name)) rows.set(name, makeRow(item));
    const { line, update } = rows.get(name);
    update(item);
    if (line === place) place = line.nextElementSibling;
    else body.insertBefore(line, place);
  }
  if (!hadFocus || document.activeElement === focused) return;
  // An element that is moved loses the focus; of one that went away it goes to the heading, not to the page's top.
  if (focused.isConnected) focused.focus({ preventScroll: true });
  else table.closest("section").querySelector("h2").focus({ preventScroll: true });
}

// ---- What runs and waits --------------------------------------------------------------------------------------------

function jobRow(first, clock, announce) {
  let job = first;
  const line = row(job.key);
  const state = cell("State");
  const bar = make("progress", { max: 1 });
  bar.setAttribute("aria-label", `Progress of job ${shortKey(job.key)}`);
  const percent = make("span", { className: "percent" });
  const message = make("span", { className: "message" });
  const progress = cell("Progress", make("div", { className: "progress" }, bar, percent), message);
  const since = cell("For");
  const tenant = cell("Tenant");
  const process = cell("Process");
  const cancel = make("button", { type: "button", textContent: "Cancel" });
  cancel.setAttribute("aria-label", `Cancel job ${shortKey(job.key)}`);
  cancel.onclick = () => askToCancel(job.key, announce);
  const actions = cell("", cancel);
  actions.className = "actions";
  line.append(state, progress, since, tenant, process, actions);

  const tick = () => {
    const from = job.is_running ? job.began_at : job.queued_at;
    setText(since, from === null ? "–" : roughDuration(clock() - from));
  };
  const update = (next) => {
    job = next;
    progress.classList.toggle("blank", !job.is_running && !job.message);
    line.dataset.state = job.is_running ? "running" : "waiting";
    setText(state, job.is_running ? "Running" : `Waiting, ${number(job.n_ahead)} ahead`);
    bar.hidden = percent.hidden = !job.is_running;
    bar.value = job.fraction;
    setText(percent, `${Math.floor(job.fraction * 100)} %`);
    setText(message, job.message);
    setText(tenant, shortKey(job.tenant) || "–");
    setText(process, job.process || "–");
    tick();
  };
  return { line, update, tick };
}

// ---- What has ended -------------------------------------------------------------------------------------------------

const SIGNS = { succeeded: "✓ Succeeded", failed: "✗ Failed", cancelled: "– Cancelled" };

/** With the exit status or the signal, where there is one. */
function outcomeOf({ outcome, returncode }) {
  if (outcome !== "failed") return SIGNS[outcome];
  if (returncode > 0) return `${SIGNS.failed}, exit ${returncode}`;
  return returncode < 0 && returncode > -100 ? `${SIGNS.failed}, signal ${-returncode}` : SIGNS.failed;
}

const between = (from, to) => (from === null || to === null ? "–" : duration(Math.max(0, to - from)));

function endRow(end, clock) {
  const line = row(end.key);
  line.dataset.state = end.outcome;
  const outcome = cell("Outcome", make("span", { className: "outcome", textContent: outcomeOf(end) }));
  if (end.outcome === "failed" && end.reason) outcome.append(make("span", { className: "message", textContent: end.reason }));
  const ago = cell("Ended");
  ago.title = new Date(end.ended_at * 1000).toLocaleString();
  const actions = cell("");
  actions.className = "actions";
  if (end.has_stderr) {
    const button = make("button", { type: "button", textContent: "stderr", onclick: () => showStderr(end) });
    button.setAttribute("aria-label", `Show stderr of job ${shortKey(end.key)}`);
    actions.append(button);
  }
  line.append(
    outcome,
    ago,
    cell("Waited", between(end.queued_at, end.began_at ?? end.ended_at)),
    cell("Ran", between(end.began_at, end.ended_at)),
    cell("Tenant", shortKey(end.tenant) || "–"),
    actions,
  );
  const tick = () => setText(ago, `${roughDuration(clock() - end.ended_at)} ago`);
  return { line, update: tick, tick };
}

// ---- Both -----------------------------------------------------------------------------------------------------------

function show(table, none, isEmpty) {
  table.hidden = isEmpty;
  none.hidden = !isEmpty;
}

/** Tables that show snapshots: `clock` gives the server's time in seconds, `announce` tells a person something. */
export function makeTables(clock, announce) {
  const jobs = new Map();
  const ends = new Map();
  let latest = null;

  function showJobs({ jobs: listed, running, waiting }) {
    const n = running + waiting;
    show(element("jobs"), element("jobs-none"), n === 0);
    setText(element("jobs-caption"), n > listed.length ? `The first ${number(listed.length)} of ${number(n)} jobs` : counted(n, "job that runs or waits", "jobs that run or wait"));
    element("jobs").classList.toggle("no-tenants", listed.every((job) => !job.tenant));
    reconcile(element("jobs"), jobs, listed, (job) => job.key, (job) => jobRow(job, clock, announce));
  }

  function showEnds({ ends: all }) {
    const onlyFailed = element("only-failed").checked;
    const found = onlyFailed ? all.filter((end) => end.outcome === "failed") : all;
    const listed = found.slice(0, MAX_ENDS);
    element("ends-filter").hidden = all.length === 0;
    show(element("ends"), element("ends-none"), listed.length === 0);
    setText(element("ends-none"), onlyFailed && all.length > 0 ? "None of them has failed." : "No job has ended.");
    const text = found.length > listed.length ? `The last ${listed.length} of ${found.length} jobs` : counted(found.length, "job that ended", "jobs that ended");
    setText(element("ends-caption"), text);
    element("ends").classList.toggle("no-tenants", listed.every((end) => !end.tenant));
    reconcile(element("ends"), ends, listed, (end) => `${end.key} ${end.ended_at}`, (end) => endRow(end, clock));
  }

  element("only-failed").onchange = () => latest && showEnds(latest);
  return {
    show(snapshot) {
      latest = snapshot;
      showJobs(snapshot);
      showEnds(snapshot);
    },
    tick() {
      for (const { tick } of [...jobs.values(), ...ends.values()]) tick();
    },
  };
}
