// The plugin's page: have the index built, tell how far it is, then search it.
//
// The address, made by Overview, says what this is about: server, documentSetId, apiToken. What comes from there or
// from the plugin is only ever shown as text.

import "../generate/workqueue.js";

const TYPING_PAUSE = 150; // milliseconds

const element = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const server = address.get("server") ?? "";
const documentSetId = address.get("documentSetId") ?? "";
const apiToken = address.get("apiToken") ?? "";
const authorization = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${apiToken}:x-auth-token`)))}`;

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
  return `${documents} “${query}”${total > hits.length ? `; the best ${hits.length}` : ""}:`;
}

/** The plugin has answered, and its answer is no. */
class Refused extends Error {}

/** The reason that it gives, in its words if it has some. */
async function reasonOf(response) {
  try {
    return (await response.json()).detail || `HTTP ${response.status}`;
  } catch {
    return `The plugin answered HTTP ${response.status}`;
  }
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
element("about").textContent = documentSetId && `Document set ${documentSetId}`;
element("progress").request = { body: { server, documentSetId }, token: apiToken };
element("progress").texts = { failed: "The index could not be built" };
element("progress").addEventListener("done", showSearch);

if (server && documentSetId && apiToken) build();
else show("mistake");
