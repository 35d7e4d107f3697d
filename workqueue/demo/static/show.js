// The plugin's page: have the index built, tell how far it is, then search it.
//
// The address, made by Overview, says what this is about: server, documentSetId, apiToken. What comes from there or
// from the plugin is only ever shown as text.

// Milliseconds. The plugin repeats itself more often than STALL, so a longer silence is a dead connection.
const STALL = 45_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
const TYPING_PAUSE = 150;

// Answers of a proxy whose plugin is away for a moment, as when it restarts.
const COMES_BACK = new Set([502, 503, 504]);

const element = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const server = address.get("server") ?? "";
const documentSetId = address.get("documentSetId") ?? "";
const apiToken = address.get("apiToken") ?? "";
const authorization = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${apiToken}:x-auth-token`)))}`;

/** The plugin has answered, and its answer is no: asking again at once is of no use. */
class Refused extends Error {}

// ---- The stream of /generate --------------------------------------------------------------------------------------

/** One line of the array -> its event; null for brackets and for a line that is not whole yet. */
function parseLine(line) {
  const text = line.trim().replace(/^,|,$/g, "");
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null; // no beginning of an object is JSON: the rest is on its way
  }
}

/** Pieces of the array, one element a line -> its events, each as soon as it is whole. */
class LineReader {
  #line = "";
  #lastLine = "";

  *feed(piece) {
    const lines = (this.#line + piece).split("\n");
    this.#line = lines.pop();
    for (const line of lines) {
      const event = parseLine(line);
      if (event) yield event;
    }
    // The line's end comes only with the next event.
    const event = parseLine(this.#line);
    if (event) {
      this.#line = "";
      yield event;
    }
    this.#lastLine = this.#line;
  }

  /** Whether the array was closed; a connection that broke off leaves it open. */
  get closed() {
    return this.#lastLine.endsWith("]");
  }
}

/** The reason that a refusal gives, in the plugin's words if it has some. */
async function reasonOf(response) {
  try {
    return (await response.json()).message || `HTTP ${response.status}`;
  } catch {
    return `The plugin answered HTTP ${response.status}`;
  }
}

/** POST /generate once; tell each event. Gives the last one, or null if the index was there already. */
async function generate(onEvent) {
  const abort = new AbortController();
  let stalled = setTimeout(() => abort.abort(), STALL);
  try {
    const response = await fetch("generate", {
      method: "POST",
      headers: { Authorization: authorization },
      body: new URLSearchParams({ server, documentSetId }),
      signal: abort.signal,
    });
    if (COMES_BACK.has(response.status)) throw new Error(`HTTP ${response.status}`);
    if (!response.ok) throw new Refused(await reasonOf(response));
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const lines = new LineReader();
    let last = null;
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) break;
      clearTimeout(stalled);
      stalled = setTimeout(() => abort.abort(), STALL);
      for (const event of lines.feed(value)) {
        last = event;
        onEvent(event);
      }
    }
    if (!(last ? last.returncode !== null : lines.closed)) throw new Error("the stream broke off");
    return last;
  } finally {
    clearTimeout(stalled);
  }
}

/** Half to all of a pause that doubles: the pages that lost one server do not come back all at once. */
function pause(attempt) {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, longest * (0.5 + Math.random() / 2)));
}

// ---- Building ------------------------------------------------------------------------------------------------------

function show(section) {
  for (const id of ["building", "failed", "ready"]) element(id).hidden = id !== section;
}

function describe({ n_ahead_in_queue: ahead, fraction, message }) {
  if (ahead > 0) return { stage: "Waiting", text: `${ahead} ${ahead === 1 ? "build" : "builds"} ahead in the queue` };
  const waiting = fraction === 0 && !message;
  return { stage: "Building the index", text: message || (waiting ? "Starting" : ""), fraction: waiting ? null : fraction };
}

let spoken = "";

/** Tell a screen reader each tenth, not each event. */
function speak(stage, text, fraction) {
  const news = fraction == null ? `${stage}: ${text}` : `${stage}: ${Math.floor(fraction * 10) * 10}%`;
  if (news !== spoken) element("spoken").textContent = news;
  spoken = news;
}

function showProgress(event) {
  const { stage, text, fraction } = describe(event);
  element("connection").hidden = true;
  element("stage").textContent = stage;
  element("message").textContent = text;
  if (fraction == null) {
    element("progress").removeAttribute("value");
    element("percent").textContent = "";
  } else {
    element("progress").value = fraction;
    element("percent").textContent = `${Math.floor(fraction * 100)}%`;
  }
  speak(stage, text, fraction);
}

function showFailure(reason, canRetry = true) {
  element("reason").textContent = reason;
  element("again").hidden = !canRetry;
  show("failed");
}

/** The program's own words, without the frame that the queue puts around them. */
function reasonOfFailure({ error, returncode }) {
  const said = /^Exited with code -?\d+\nstderr:\n([^]*)$/.exec(error ?? "");
  const reason = (said ? said[1] : error ?? "").trim();
  return reason || `The program ended with exit status ${returncode} and did not say why.`;
}

/** Have the index built, however often the connection is lost; then offer the search. */
async function build() {
  showProgress({ n_ahead_in_queue: 0, fraction: 0, message: null });
  show("building");
  for (let attempt = 0; ; attempt += 1) {
    try {
      const last = await generate((event) => {
        attempt = 0;
        showProgress(event);
      });
      if (last && last.returncode !== 0) showFailure(reasonOfFailure(last));
      else showSearch();
      return;
    } catch (error) {
      if (error instanceof Refused) {
        showFailure(error.message);
        return;
      }
    }
    element("connection").hidden = false;
    await pause(attempt);
  }
}

// ---- Searching -----------------------------------------------------------------------------------------------------

function showSearch() {
  show("ready");
  if (window.top === window) element("words").focus(); // in Overview's frame the focus is not ours to take
}

/** Plain, matched, plain, and so on -> text and marks. */
function snippetOf(parts) {
  const paragraph = document.createElement("p");
  parts.forEach((part, index) => {
    const node = index % 2 ? document.createElement("mark") : document.createElement("span");
    node.textContent = part;
    paragraph.append(node);
  });
  return paragraph;
}

function itemOf(hit) {
  const item = document.createElement("li");
  const title = document.createElement("h3");
  title.textContent = hit.title || "Untitled";
  item.append(title, snippetOf(hit.parts));
  return item;
}

function summaryOf({ query, total, hits }) {
  if (total === 0) return `No document matches “${query}”.`;
  const documents = total === 1 ? "1 document matches" : `${total.toLocaleString("en")} documents match`;
  return `${documents} “${query}”${total > hits.length ? `; the best ${hits.length}:` : ""}`;
}

let searching = new AbortController();

/** Search for what is in the box now; an earlier search that is still under way is given up. */
async function search() {
  searching.abort();
  searching = new AbortController();
  const { signal } = searching;
  const q = element("words").value.trim();
  if (!q) {
    element("summary").textContent = "";
    element("hits").replaceChildren();
    return;
  }
  try {
    const query = new URLSearchParams({ server, documentSetId, q });
    const response = await fetch(`search?${query}`, { headers: { Authorization: authorization }, signal });
    if (response.status === 404) {
      build(); // the index is gone: have it built again
      return;
    }
    if (!response.ok) throw new Refused(await reasonOf(response));
    const answer = await response.json();
    element("summary").textContent = summaryOf(answer);
    element("hits").replaceChildren(...answer.hits.map(itemOf));
  } catch (error) {
    if (signal.aborted) return;
    element("hits").replaceChildren();
    element("summary").textContent = error instanceof Refused ? error.message : "The plugin cannot be reached.";
  }
}

// ---- The page ------------------------------------------------------------------------------------------------------

let typing = 0;

function searchSoon() {
  clearTimeout(typing);
  typing = setTimeout(search, TYPING_PAUSE);
}

element("search").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  search();
});
element("words").addEventListener("input", searchSoon);
element("again").addEventListener("click", build);
element("about").textContent = documentSetId && `Document set ${documentSetId}`;

if (server && documentSetId && apiToken) build();
else showFailure("Overview opens this page; its address must say server, documentSetId and apiToken.", false);
