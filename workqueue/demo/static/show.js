// The plugin's page: have the index built, tell how far it is, then search it.
//
// The address, made by Overview, says what this is about: server, documentSetId, apiToken. What comes from there or
// from the plugin is only ever shown as text.

import "../generate/workqueue.js";
import { Refused, itemOf, search as ask, summaryOf } from "./search.js";

const TYPING_PAUSE = 150; // milliseconds

const element = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const server = address.get("server") ?? "";
const documentSetId = address.get("documentSetId") ?? "";
const apiToken = address.get("apiToken") ?? "";

// ---- Building: all of it is <workqueue-progress> ---------------------------------------------------------------------

function show(section) {
  for (const id of ["building", "mistake", "ready"]) element(id).hidden = id !== section;
}

function build() {
  show("building");
  element("progress").start();
}

// ---- Searching -----------------------------------------------------------------------------------------------------

function showSearch() {
  show("ready");
  if (window.top === window) element("words").focus(); // in Overview's frame the focus is not ours to take
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
    const answer = await ask({ server, documentSetId, apiToken }, q, signal);
    element("summary").textContent = summaryOf(answer, answer.hits.length);
    element("hits").replaceChildren(...answer.hits.map(itemOf));
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 404) {
      build(); // the index is gone: have it built again
      return;
    }
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
element("about").textContent = documentSetId && `Document set ${documentSetId}`;
element("progress").request = { body: { server, documentSetId }, token: apiToken };
element("progress").texts = { failed: "The index could not be built" };
element("progress").addEventListener("done", showSearch);

if (server && documentSetId && apiToken) build();
else show("mistake");
