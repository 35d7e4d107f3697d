// What both pages share: a search for words in a finished index, and how what it found is shown.
//
// What comes from the plugin is only ever shown as text.

/** The plugin has answered, and its answer is no. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** A token -> the header that says so. */
export const authorizationOf = (token) =>
  `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${token}:x-auth-token`)))}`;

/** The reason that a response gives, in its words if it has some. */
export async function reasonOf(response) {
  try {
    return (await response.json()).detail || `HTTP ${response.status}`;
  } catch {
    return `The plugin answered HTTP ${response.status}`;
  }
}

/** Search -> { query, total, hits }. @throws {Refused} the plugin's answer is no. */
export async function search({ server, documentSetId, apiToken }, q, signal) {
  const query = new URLSearchParams({ server, documentSetId, q });
  const headers = { Authorization: authorizationOf(apiToken) };
  const response = await fetch(`search?${query}`, { headers, signal });
  if (!response.ok) throw new Refused(response.status, await reasonOf(response));
  return response.json();
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

/** One document that was found -> an entry of a list. */
export function itemOf(hit) {
  const item = document.createElement("li");
  const title = document.createElement("h3");
  title.textContent = hit.title || "Untitled";
  item.append(title, snippetOf(hit.parts));
  return item;
}

/** How many were found, where so many are shown. */
export function summaryOf({ query, total }, shown) {
  if (total === 0) return `No document matches “${query}”.`;
  const documents = total === 1 ? "1 document matches" : `${total.toLocaleString("en")} documents match`;
  return `${documents} “${query}”${total > shown ? `; the best ${shown}` : ""}:`;
}
