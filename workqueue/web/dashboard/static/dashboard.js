// The operators' page. The server sends the whole state whenever it has changed, once a second at most; see `Snapshot`
// in snapshot.py. So what is shown is the latest event, whatever was missed before it.

import { drawPlots } from "./plots.js";
import { makeTables } from "./tables.js";
import { number } from "./words.js";

// Milliseconds. The server repeats itself every 10 s, and ends each response after a minute at most; the browser comes
// back by itself, which takes a moment, and is no news. A silence of STALL is a dead connection.
const NEWS = 3_000;
const STALL = 30_000;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;

// A hidden tab would keep one of the six connections that a browser has for a host.
const GRACE = 10_000;

// Between two announcements to a screen reader; the first comes at once.
const QUIET = 10_000;

const element = (id) => document.getElementById(id);

// ---- The server's time ----------------------------------------------------------------------------------------------

let ahead = 0;
const clock = () => Date.now() / 1000 + ahead;

// ---- What is said aloud ---------------------------------------------------------------------------------------------

let announcing = 0;
let toAnnounce = "";

function announce(text) {
  element("announcement").textContent = text;
}

/** The counts, but not each of those that follow one another. */
function announceCounts(text) {
  if (text === toAnnounce) return;
  const isFirst = toAnnounce === "";
  toAnnounce = text;
  if (announcing) return;
  announcing = setTimeout(() => {
    announcing = 0;
    announce(toAnnounce);
  }, isFirst ? 0 : QUIET);
}

// ---- A snapshot -----------------------------------------------------------------------------------------------------

const tables = makeTables(clock, announce);

function setText(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text;
}

function show(snapshot) {
  const { running, waiting, max_running: most, outcomes, known_since: since } = snapshot;
  setText("count-running", number(running));
  setText("count-limit", most === null ? "" : `of ${number(most)}`);
  setText("count-waiting", number(waiting));
  for (const outcome of ["succeeded", "failed", "cancelled"]) {
    setText(`count-${outcome}`, number(outcomes[outcome] ?? 0));
  }
  const start = since === null ? "in the last hour" : `since ${new Date(since * 1000).toLocaleTimeString()}`;
  setText("span", `Succeeded, failed and cancelled: ${start}.`);
  setText("ends-title", since === null ? "Ended in the last hour" : "Ended lately");
  tables.show(snapshot);
  drawPlots(snapshot);
  announceCounts(`${number(running)} running, ${number(waiting)} waiting, ${number(outcomes.failed ?? 0)} failed.`);
}

// ---- The connection -------------------------------------------------------------------------------------------------

const STATES = {
  connecting: "Connecting …",
  live: "Live",
  lost: "Connection lost. Trying again …",
  refused: "Access refused. Log in again, and reload this page.",
};

let source = null;
let heardAt = 0;
let lostTimer = 0;
let retryTimer = 0;
let pause = FIRST_PAUSE;

function setState(state) {
  const status = element("connection");
  if (status.dataset.state === state) return;
  status.dataset.state = state;
  status.textContent = STATES[state];
}

function heard() {
  heardAt = Date.now();
  pause = FIRST_PAUSE;
  clearTimeout(lostTimer);
  lostTimer = 0;
  setState("live");
}

function close() {
  source?.close();
  source = null;
  clearTimeout(retryTimer);
  clearTimeout(lostTimer);
  lostTimer = retryTimer = 0;
}

function open() {
  close();
  heardAt = Date.now();
  const opened = (source = new EventSource("events"));
  opened.addEventListener("time", ({ data }) => {
    ahead = Number(data) - Date.now() / 1000;
  });
  opened.onmessage = ({ data }) => {
    heard();
    show(JSON.parse(data));
  };
  opened.onerror = () => {
    lostTimer ||= setTimeout(setState, NEWS, "lost");
    // The browser comes back by itself, but for an answer that is no stream.
    if (opened.readyState === EventSource.CLOSED) comeBack(opened);
  };
}

async function comeBack(closed) {
  const response = await fetch("events", { method: "HEAD", redirect: "manual" }).catch(() => null);
  if (source !== closed) return;
  if (response && (response.type === "opaqueredirect" || [401, 403].includes(response.status))) {
    close();
    setState("refused");
    return;
  }
  retryTimer = setTimeout(open, pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

let hiddenTimer = 0;

function follow() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(close, GRACE);
  else if (!source && element("connection").dataset.state !== "refused") open();
}

document.addEventListener("visibilitychange", follow);
addEventListener("online", () => source && element("connection").dataset.state === "lost" && open());
follow();

setInterval(() => {
  if (document.hidden || !source) return;
  if (Date.now() - heardAt > STALL) {
    setState("lost");
    open();
  }
  // What is not known any more does not go on.
  if (element("connection").dataset.state === "live") tables.tick();
}, 1000);
