// Beside the plugin's page: the cluster's processes, as they stand, and a button for each that kills or starts it.

const LOOK = 500; // milliseconds

const element = (id) => document.getElementById(id);
const apiToken = new URLSearchParams(location.search).get("apiToken") ?? "";
const authorization = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${apiToken}:x-auth-token`)))}`;

const TITLES = { nats: "NATS server", worker: "Worker" };

/** "nats-1" -> "NATS server 1" */
function titleOf(name) {
  const [kind, number] = name.split("-");
  return `${TITLES[kind]} ${number}`;
}

/** Ask the plugin; its refusals and its absence are shown, and undefined is returned. */
async function ask(path, options = {}) {
  try {
    const response = await fetch(`cluster/${path}`, { ...options, headers: { Authorization: authorization } });
    const answer = response.status === 204 ? {} : await response.json();
    element("trouble").textContent = response.ok ? "" : answer.detail;
    return response.ok ? answer : undefined;
  } catch {
    element("trouble").textContent = "The demo does not answer.";
    return undefined;
  }
}

// ---- A node --------------------------------------------------------------------------------------------------------

/** An entry of the list, made once for each node: a button that is made anew would lose the focus. */
function entryOf(name) {
  const entry = document.createElement("li");
  const text = document.createElement("div");
  const title = document.createElement("strong");
  const button = document.createElement("button");
  title.id = `title-${name}`;
  title.textContent = titleOf(name);
  text.append(title, document.createElement("span"));
  button.type = "button";
  button.id = `button-${name}`;
  button.setAttribute("aria-labelledby", `${button.id} ${title.id}`); // "Kill Worker 1"
  button.addEventListener("click", async () => {
    button.disabled = true;
    await ask(entry.classList.contains("runs") ? "kill" : "start", {
      method: "POST",
      body: new URLSearchParams({ node: name }),
    });
    await look();
    button.disabled = false;
  });
  entry.append(text, button);
  return entry;
}

const entries = new Map();

function show({ name, pid, says }) {
  if (!entries.has(name)) {
    entries.set(name, entryOf(name));
    element("nodes").append(entries.get(name));
  }
  const entry = entries.get(name);
  const runs = pid !== null;
  entry.classList.toggle("runs", runs);
  entry.querySelector("span").textContent = [runs ? `process ${pid}` : "dead", says].filter(Boolean).join(": ");
  entry.querySelector("button").textContent = runs ? "Kill" : "Start again";
}

async function look() {
  const answer = await ask("nodes");
  answer?.nodes.forEach(show);
}

// ---- The page ------------------------------------------------------------------------------------------------------

element("again").addEventListener("click", async () => {
  if (await ask("again", { method: "POST" })) location.reload();
});

for (;;) {
  await look();
  await new Promise((resolve) => setTimeout(resolve, LOOK));
}
