// The page at /: each document set with its progress, and what can be done about it.

import "../generate/workqueue.js";
import { Refused, itemOf, reasonOf, search, summaryOf } from "./search.js";

const LOOK = 1000; // milliseconds between two looks at how all sets stand
const PAUSE = 1000; // milliseconds between two requests of a build that waits, whose responses are short
const SHOWN = 3; // hits

// The header of a request that only looks: it never has something built that has just failed or was cancelled.
const FOLLOWS = "X-Follows";

const FORGOTTEN = 409; // the status for what was followed, and that another window has ended by "Start over"

const KILLED = -9;
const CANCELLED = -998;

const main = document.querySelector("main");
const trouble = document.getElementById("trouble");

/** Ask the demo; its refusals and its absence are shown, and null is returned. */
async function ask(path, method = "POST") {
  try {
    const response = await fetch(path, { method });
    trouble.textContent = response.ok ? "" : await reasonOf(response);
    if (!response.ok) return null;
    return response.status === 204 ? {} : await response.json();
  } catch {
    trouble.textContent = "The demo does not answer: start it again with workqueue demo.";
    return null;
  }
}

// ---- What is said of a build -----------------------------------------------------------------------------------------

const HEADLINES = { [KILLED]: "The program was killed", [CANCELLED]: "Cancelled" };

const TEXTS = {
  failed: ({ refused, returncode }) =>
    HEADLINES[returncode] ?? (refused ? "The build could not be started" : "The build failed"),
  reason: ({ error, returncode }) => {
    if (returncode === KILLED) return "Signal 9 (SIGKILL) ended it.";
    return (/^Exited with code -?\d+\nstderr:\n([^]*)$/.exec(error)?.[1] ?? error).trim() || "It did not say why.";
  },
  again: "Try again",
};

/** One sentence that says what a person sees there. */
function whyOf(state, returncode, breaks) {
  if (state === "starting") return "The demo is asked whether the index is there, or being built.";
  if (state === "queued") return "All slots are taken, so this build waits; it begins by itself when its turn comes.";
  if (state === "running") return "The program prints how far it is, and each window that watches shows it at once.";
  if (state === "done") return "The index is kept: a client that asks for it now gets it at once.";
  if (state === "idle") {
    return breaks
      ? "Nothing is built yet; the first time, its documents break off in the middle."
      : "Nothing is built yet; the first request for it starts the program.";
  }
  if (state !== "failed" || returncode === null) return "";
  if (returncode === CANCELLED) return "It ended in all windows that watched it, and nothing half built is kept.";
  if (returncode === KILLED) return "Nothing half built is kept; the next build begins from nothing.";
  return "Its exit status was not 0; the text is what it wrote to stderr. “Try again” runs it once more.";
}

// ---- A set -----------------------------------------------------------------------------------------------------------

class Card {
  #item;
  #about;
  #id;
  #progress;
  #headers = new Headers(); // read anew for each request
  #returncode = null;
  #isOver = false; // it failed, and is no request that was refused
  #pid = null;
  #state = "idle"; // of its build, as it was shown last
  #changedAt = 0; // when that changed, on the clock of performance.now()
  #answered = () => {};
  #searching = new AbortController();

  constructor(item) {
    this.#item = item;
    this.#id = item.dataset.id;
    this.#progress = item.querySelector("workqueue-progress");
    this.#about = { server: main.dataset.server, documentSetId: this.#id, apiToken: item.dataset.token };
    this.#progress.texts = TEXTS;
    this.#progress.request = { headers: this.#headers, firstPause: PAUSE };
    this.#listen();
    this.#render();
  }

  get id() {
    return this.#id;
  }

  get state() {
    return this.#progress.state;
  }

  get isLive() {
    return ["starting", "queued", "running"].includes(this.state);
  }

  /** Have it built, or join the build, or find that it is there -> a promise of the demo's first answer. */
  build() {
    this.#headers.delete(FOLLOWS);
    return this.#start();
  }

  /** See what became of it -> as `build`. */
  join() {
    this.#headers.set(FOLLOWS, "1");
    return this.#start();
  }

  /** Take how it stood in the demo; what was asked before something changed here says nothing. */
  take({ state, pid }, askedAt) {
    if (askedAt < this.#changedAt) return;
    const { isLive } = this;
    this.#pid = pid;
    this.#render();
    if (state === "idle") {
      if (this.state === "done" || (this.state === "failed" && this.#isOver)) location.reload(); // by "Start over"
    } else if (!isLive && state !== (this.state === "done" ? "built" : this.state)) {
      inTurn(() => this.isLive || this.join()); // another window has begun it
    }
  }

  #start() {
    this.#answered(); // whatever waits for an earlier request waits no more
    this.#progress.start();
    return new Promise((resolve) => (this.#answered = resolve));
  }

  #listen() {
    const on = (selector, handle) => this.#find(selector).addEventListener("click", handle);
    on(".build", () => this.build());
    on(".cancel", () => ask(`sets/${this.#id}/cancel`));
    on(".kill", () => ask(`sets/${this.#id}/kill`));
    for (const word of this.#item.querySelectorAll(".word")) {
      word.addEventListener("click", () => {
        this.#find("input").value = word.textContent;
        this.#search();
      });
    }
    this.#find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search();
    });
    this.#progress.addEventListener("failed", ({ detail }) => {
      this.#returncode = detail.returncode;
      this.#isOver = detail.returncode !== null || detail.refused?.status === FORGOTTEN;
      this.#render();
    });
    for (const type of ["progress", "failed", "connection"]) {
      this.#progress.addEventListener(type, () => this.#answered());
    }
    new MutationObserver(() => this.#changed()).observe(this.#progress, { attributeFilter: ["state"] });
  }

  #changed() {
    if (this.state === this.#state) return;
    this.#state = this.state;
    this.#changedAt = performance.now();
    this.#pid = null;
    if (this.state === "failed") this.#headers.delete(FOLLOWS); // "Try again" is to have it built
    else if (this.state !== "starting") this.#headers.set(FOLLOWS, "1");
    this.#render();
  }

  #find(selector) {
    return this.#item.querySelector(selector);
  }

  #render() {
    this.#item.dataset.state = this.state;
    this.#find(".why").textContent = whyOf(this.state, this.#returncode, "breaks" in this.#item.dataset);
    this.#find(".kill").textContent = `Kill process ${this.#pid}`;
    this.#show(".build", this.state === "idle");
    this.#show(".cancel", this.isLive);
    this.#show(".kill", this.state === "running" && this.#pid !== null);
    this.#show("form", this.state === "done");
  }

  #show(selector, isShown) {
    const control = this.#find(selector);
    const hadFocus = !isShown && control.contains(document.activeElement);
    control.hidden = !isShown;
    if (hadFocus) this.#find("h2").focus(); // else the next Tab would begin at the top of the page
  }

  async #search() {
    this.#searching.abort();
    this.#searching = new AbortController();
    const { signal } = this.#searching;
    const q = this.#find("input").value.trim();
    let summary = "";
    let hits = [];
    try {
      const answer = q ? await search(this.#about, q, signal) : null;
      if (answer) {
        hits = answer.hits.slice(0, SHOWN).map(itemOf);
        summary = summaryOf(answer, hits.length);
      }
    } catch (error) {
      summary = error instanceof Refused ? error.message : "The demo does not answer.";
    }
    if (signal.aborted) return;
    this.#find(".summary").textContent = summary;
    this.#find(".hits").replaceChildren(...hits);
  }
}

// ---- The page --------------------------------------------------------------------------------------------------------

/** One after the other, so that the line is in the order of the page. */
let turn = Promise.resolve();

function inTurn(act) {
  turn = turn.then(act);
}

const cards = [...document.querySelectorAll("#sets > li")].map((item) => new Card(item));

document.getElementById("build-all").addEventListener("click", () => {
  for (const card of cards) inTurn(() => card.isLive || card.state === "done" || card.build());
});

document.getElementById("start-over").addEventListener("click", async () => {
  if (await ask("start-over")) location.reload();
});

for (;;) {
  const askedAt = performance.now();
  const standing = document.hidden ? null : await ask("sets", "GET");
  for (const card of standing ? cards : []) card.take(standing[card.id], askedAt);
  await new Promise((resolve) => setTimeout(resolve, LOOK));
}
