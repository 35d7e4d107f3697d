// The browser's side of workqueue: `watch()` follows a job, `<workqueue-progress>` shows it. The API: workqueue.d.ts.
//
// The server answers a POST with NDJSON, an event a line. Only the last event of a job has a `returncode`: that a
// response ends says nothing, since servers end long responses on purpose, and a proxy's cut can look like an end. So
// whatever ends without a returncode is asked for again, by the same request: it joins the job that is under way.

// Milliseconds. The server repeats itself every 10 s, so a silence of STALL is a dead connection.
const STALL = 45_000;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;
const LONGEST_RETRY_AFTER = 120_000;

// A server says at once where the job is. What is silent for HELD from its beginning may be held back, by a proxy or an
// antivirus that passes a response on when it is whole. So ask for responses that are whole after SHORT seconds, and as
// server-sent events, which some that hold back all else let through.
const HELD = 20_000;
const SHORT = 5;
const LINES = "application/x-ndjson";
const EVENTS = "text/event-stream";
const SHORT_EVENTS = `${EVENTS};wait=${SHORT}`;

// A server that was slow once, as it started, is silent as well. What holds responses back never brings a short one's
// first event within PROMPT ms of the request: after PROMPT_ONES that did, in a row, a long one of events is tried.
const PROMPT = 1000;
const PROMPT_ONES = 3;
const GATEWAY_TIMED_OUT = new Set([504, 524]);

// Browsers open six HTTP/1.1 connections to a host, for all tabs together: a seventh stream, or a click in the sixth
// tab, waits until a job has ended. So a hidden tab gives its stream up, and only looks in every GLANCE.
const GRACE = 5_000;
const GLANCE = 20_000;

// Characters. The longest line is a failure with 64 KiB of stderr, each byte of it escaped in six characters.
const LONGEST_LINE = 1 << 20;

// "Not now": the server is away or overloaded; 52x are Cloudflare's words for that. Any other status is an answer that
// the same request would get again. So is 500: the application came to this request, and failed at it.
const NOT_NOW = new Set([408, 425, 429, 502, 503, 504, 521, 522, 523, 524]);

/** The server has answered, and its answer is no. */
export class RefusedError extends Error {
  name = "RefusedError";

  constructor(status, title = "", detail = "", redirected = false) {
    super(detail || title || `HTTP ${status}`);
    Object.assign(this, { status, title, detail, redirected });
  }
}

// ---- One response ---------------------------------------------------------------------------------------------------

async function refusalOf(response) {
  const type = response.headers.get("Content-Type") ?? "none";
  if (response.ok) {
    const isPage = response.redirected && /html/.test(type); // to log in, most likely
    const title = isPage ? "Log in again" : "Not a stream of progress";
    return new RefusedError(response.status, title, `Content-Type: ${type}`, isPage);
  }
  const problem = /[/+]json/.test(type) ? await response.json().catch(() => null) : null;
  const { title, detail } = Object(problem);
  return new RefusedError(response.status, String(title ?? response.statusText), String(detail ?? ""));
}

/** Milliseconds that the server asks to wait; NaN when it does not say. */
function retryAfterOf(response) {
  const value = response.headers.get("Retry-After") ?? "";
  const ms = /^\d+$/.test(value) ? value * 1000 : Date.parse(value) - Date.now();
  return Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER);
}

function parse(line) {
  const event = JSON.parse(line);
  if (event === null || typeof event !== "object") throw new SyntaxError("a line of the stream is no object");
  return event;
}

/**
 * fetch. A redirect to another origin, which lets nobody read what is there, looks to it like a network that is away: so
 * does the page to log in, when a session is over. A request that follows no redirect tells them apart, unless this job
 * was told of through a redirect before: then it is the network.
 */
async function ask(url, init, route) {
  const follow = () => fetch(url, init);
  try {
    return await follow();
  } catch (error) {
    init.signal.throwIfAborted();
    if (route.isRedirected) throw error;
    const response = await fetch(url, { ...init, redirect: "manual" }); // throws when the network is away
    if (response.type !== "opaqueredirect") return response;
    // Once more, since the first time it may have been the network after all.
    return follow().catch(() => {
      init.signal.throwIfAborted();
      throw new RefusedError(0, "Log in again", "The server sends this request elsewhere, to log in most likely.", true);
    });
  }
}

/** One request -> its events. What goes wrong with the connection, a refusal for now among it, is thrown. */
async function* request(url, init, { first, stall }, attempt, route) {
  let patience = first;
  // Only waiting for the server counts: a consumer may take its time.
  const soon = async (promise) => {
    const timer = setTimeout(() => attempt.abort(new DOMException("no byte for too long", "TimeoutError")), patience);
    return promise.finally(() => clearTimeout(timer));
  };
  const response = await soon(ask(url, { ...init, signal: attempt.signal }, route));
  const type = response.headers.get("Content-Type") ?? "";
  const isServerSent = /^text\/event-stream/.test(type);
  if (!response.ok || !(isServerSent || /ndjson|jsonl/.test(type))) {
    const refusal = await soon(refusalOf(response));
    throw NOT_NOW.has(response.status) ? Object.assign(refusal, { retryAfter: retryAfterOf(response) }) : refusal;
  }
  route.isRedirected ||= response.redirected;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  for (;;) {
    const { done, value } = await soon(reader.read());
    if (done) break;
    patience = stall;
    const lines = value.split("\n");
    lines[0] = line + lines[0];
    line = lines.pop();
    for (const whole of lines) {
      const text = isServerSent ? /^data:(.*)/.exec(whole)?.[1] : whole;
      if (text?.trim()) yield parse(text);
    }
    if (line.length > LONGEST_LINE) throw new SyntaxError("a line of the stream has no end");
  }
  if (line) throw new TypeError("the stream broke off inside a line");
}

// ---- A job, over as many responses as it takes ----------------------------------------------------------------------

const LEFT = Symbol("the iterator was returned");

const isPlain = (value) =>
  value !== null && typeof value === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(value));

const isHidden = () => globalThis.document?.hidden ?? false; // a worker has no document

/** Wait; less when the signal aborts, or, where `eager`, when the tab is shown or the network is back. */
function pause(ms, signal, eager) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { signal: over.signal });
    if (!eager) return;
    globalThis.addEventListener?.("online", end, { signal: over.signal });
    globalThis.document?.addEventListener("visibilitychange", () => isHidden() || end(), { signal: over.signal });
  });
}

function initOf({ body, token, headers, method = "POST", credentials = "same-origin" }, accept = LINES) {
  const all = new Headers(headers);
  if (!all.has("Accept")) all.set("Accept", accept);
  if (token != null && !all.has("Authorization")) {
    // btoa takes bytes, one a character; the token may be any text.
    const bytes = new TextEncoder().encode(`${token}:x-auth-token`);
    all.set("Authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
  }
  // A FormData too, which fetch would send as multipart/form-data: the server takes forms without files.
  const isForm = body instanceof FormData || isPlain(body ?? null);
  return { method, headers: all, credentials, body: isForm ? new URLSearchParams(body) : body };
}

/** Whether a response that brought nothing failed as one does that is held back for too long. */
const isHeldBack = ({ name, status }) => name === "TimeoutError" || GATEWAY_TIMED_OUT.has(status);

async function* follow(url, options, gone) {
  const { signal, onConnection, stall = STALL, glance = GLANCE, grace = GRACE } = options;
  const { firstPause = FIRST_PAUSE, longestPause = LONGEST_PAUSE } = options;
  let told;
  let failures = 0; // in a row
  let fraction = 0;
  let accept = LINES; // SHORT_EVENTS, since what is long seems to be held back; EVENTS, since that may be over
  let nPrompt = 0; // short responses in a row that brought their first event at once
  let mayTry = true; // a long one: none was held back after prompt short ones
  const route = { isRedirected: false }; // how the server was reached

  const tell = (state, retryIn = null, error = null) => {
    if (state !== told || error) onConnection?.({ state, retryIn, error });
    told = state;
  };

  try {
    signal?.throwIfAborted();
    signal?.addEventListener("abort", () => gone.abort(signal.reason), { signal: gone.signal });
    // Throws for a bad argument, which fetch does not tell from a network that is away.
    new Request(url, initOf(options));
    const mayBeShort = !new Headers(options.headers).has("Accept");

    for (;;) {
      const began = Date.now();
      const attempt = new AbortController();
      const wasHidden = isHidden();
      const isShort = accept === SHORT_EVENTS;
      let heard = false;
      let stays = false;
      let leaves = false;
      let error = null;

      // These listeners go when the attempt is over, since it is aborted then.
      gone.signal.addEventListener("abort", () => attempt.abort(gone.signal.reason), { signal: attempt.signal });
      let timer;
      const leaveSoon = () => {
        clearTimeout(timer);
        if (!isHidden() || !glance) return;
        timer = setTimeout(() => {
          leaves = true;
          attempt.abort();
        }, grace);
      };
      globalThis.document?.addEventListener("visibilitychange", leaveSoon, { signal: attempt.signal });

      const limits = { first: isShort ? stall : (options.stall ?? HELD), stall };
      const events = request(url, initOf(options, accept), limits, attempt, route);
      try {
        for (;;) {
          let step;
          try {
            step = await events.next();
          } catch (thrown) {
            error = thrown;
          }
          gone.signal.throwIfAborted(); // also between the events of one piece
          if (error || step.done) break;
          const event = step.value;
          if (!heard && isShort) nPrompt = Date.now() - began < PROMPT ? nPrompt + 1 : 0;
          heard = true;
          tell("open");
          // A job that has gone back was started again, maybe by this very request: a failed job leaves nothing
          // behind. Then stay to its end, else a page that nobody sees would run a failing program for ever.
          stays ||= event.fraction < fraction;
          fraction = event.fraction;
          yield event;
          if (event.returncode != null) return;
          if (glance && wasHidden && isHidden() && !stays) {
            leaves = true;
            break;
          }
        }
      } finally {
        clearTimeout(timer);
        attempt.abort();
      }

      if (leaves) {
        // Not at the same moment in all the hidden tabs.
        tell("away");
        if (isHidden()) await pause(glance * (0.75 + Math.random() / 2), gone.signal, true);
      } else if (heard && !error) {
        // A server that ends its streams at once must not be asked in a tight loop.
        failures = 0;
        if (accept === EVENTS) mayTry = true;
        if (isShort && mayTry && nPrompt >= PROMPT_ONES) {
          accept = EVENTS;
          mayTry = false;
        }
        await pause(firstPause - (Date.now() - began), gone.signal, false);
      } else if (!heard && !isShort && mayBeShort && (!error || isHeldBack(error))) {
        // Not a loss yet. Should the short one bring nothing either, it is one, and the next is long again.
        accept = SHORT_EVENTS;
        nPrompt = 0;
        await pause(firstPause - (Date.now() - began), gone.signal, false);
      } else {
        error ??= new TypeError("the stream ended before its first event");
        if (!heard) accept = LINES;
        if (error instanceof RefusedError && !("retryAfter" in error)) throw error;
        // A stream that breaks at a line that makes no sense will most likely do so again, whatever came before it.
        failures = heard && !(error instanceof SyntaxError) ? 1 : failures + 1;
        // Half to all of a pause that doubles: the pages that lost one server do not come back all at once.
        let wait = Math.min(longestPause, firstPause * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
        const isAsked = error.retryAfter >= 0;
        if (isAsked) wait += error.retryAfter;
        tell(isAsked ? "busy" : "lost", wait, error);
        await pause(wait, gone.signal, !isAsked);
      }
      gone.signal.throwIfAborted();
    }
  } catch (error) {
    if (gone.signal.reason !== LEFT) throw error;
  } finally {
    gone.abort(LEFT);
  }
}

/** Follow a job to its end, however often the connection is lost: an async iterator of its events. */
export function watch(url, options = {}) {
  const gone = new AbortController();
  const events = follow(url, options, gone);
  return {
    next: () => events.next(),
    // An async generator's own return() would wait for the next event.
    return: (value) => {
      gone.abort(LEFT);
      return events.return(value);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

// ---- How long it takes ----------------------------------------------------------------------------------------------

// The rate of the last half a minute or so, by which the rest is estimated.
const RATE_WINDOW = 30_000;

/**
 * How long a run still takes, by its recent rate. Nothing is said before a fraction of 0.05 and three steps forward,
 * and not unless the end that is foretold has for 5 s moved by no more than half of what is left, and 10 s: a guess that
 * leaps about is worse than none.
 */
class Pace {
  #first;
  #steps = 0;
  #rate = 0; // per ms
  #end = NaN; // foretold
  #settled = 0; // since when the end stays where it is
  #isCredible = false;

  constructor(fraction, now) {
    this.#first = now;
    this.last = { fraction, now };
  }

  /** Take a later event -> the seconds that are left, or null as long as nobody could tell. */
  add(fraction, now) {
    const elapsed = now - this.last.now;
    const gained = fraction - this.last.fraction;
    this.last = { fraction, now };
    if (gained > 0) this.#steps += 1;
    // An exponential average over time, not over events; what it gives for no time at all is the limit of short ones.
    const forgotten = -Math.expm1(-elapsed / RATE_WINDOW);
    this.#rate += gained * (elapsed ? forgotten / elapsed : 1 / RATE_WINDOW) - this.#rate * forgotten;
    const recent = this.#rate / -Math.expm1(-(now - this.#first) / RATE_WINDOW); // since the average began at 0
    const left = (1 - fraction) / recent;
    const isNear = Math.abs(now + left - this.#end) <= left / 2 + 10_000;
    if (!isNear) this.#settled = now;
    // As long as nothing is said, the end must stay near one place; then it may drift.
    if (!isNear || this.#isCredible) this.#end = now + left;
    this.#isCredible = isNear && now - this.#settled >= 5000 && fraction >= 0.05 && this.#steps >= 3;
    return this.#isCredible ? left / 1000 : null;
  }
}

/** Seconds -> about how long that is, in steps that a person would name. */
function roughly(seconds) {
  if (seconds < 50) return "less than a minute";
  const minutes = Math.round(seconds / 60);
  if (minutes < 2) return "about a minute";
  if (minutes < 10) return `about ${minutes} minutes`;
  if (minutes < 58) return `about ${Math.round(minutes / 5) * 5} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 2 ? "about an hour" : `about ${hours} hours`;
}

const capitalized = (text) => text[0].toUpperCase() + text.slice(1);

// ---- Whether a request is another one -------------------------------------------------------------------------------

/** A value as it is now, in lists of texts; it may be changed later. A Blob stays what it is: none is read at once. */
function copyOf(value) {
  if (value == null) return null;
  if (typeof value !== "object") return String(value);
  if (value instanceof ArrayBuffer) return String(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return String(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (isPlain(value)) return Object.keys(value).sort().map((key) => [key, copyOf(value[key])]);
  return typeof value[Symbol.iterator] === "function" ? [...value].map(copyOf) : value;
}

/** What a request asks the server for. How patient it is makes no other request of it. */
function wishOf(src, { method = "POST", headers, token, body, credentials = "same-origin" }) {
  return [src, method.toUpperCase?.(), copyOf(headers), copyOf(token), copyOf(body), credentials];
}

const isEqual = (one, other) =>
  Array.isArray(one) && Array.isArray(other)
    ? one.length === other.length && one.every((value, i) => isEqual(value, other[i]))
    : one === other;

// ---- The element ----------------------------------------------------------------------------------------------------

const TEXTS = {
  label: "Building",
  ahead: (n) => (n === 1 ? "1 build ahead" : `${n} builds ahead`),
  wait: (seconds) => `Starts in ${roughly(seconds)}`,
  starting: "Starting…",
  percent: (fraction, language) => new Intl.NumberFormat(language, { style: "percent" }).format(fraction),
  remaining: (seconds) => `${capitalized(roughly(seconds))} left`,
  lost: "Connection lost. Reconnecting…",
  busy: "No place in the queue yet. Trying again…",
  done: "Done",
  failed: ({ refused }) => (refused ? "The build could not be started" : "The build failed"),
  login: "Log in again",
  // The program's own words, without the frame that the queue puts around them.
  reason: ({ error, returncode }) =>
    (/^Exited with code -?\d+\nstderr:\n([^]*)$/.exec(error)?.[1] ?? error).trim() ||
    `The program ended with exit status ${returncode} and did not say why.`,
  again: "Try again",
};

// Grays are the text's color, thinned, so that they fit any page; the others follow the page's color-scheme.
const STYLE = `
:host {
  display: block;
  --_accent: var(--workqueue-accent, #2756c5);
  --_good: var(--workqueue-good, #1c7a45);
  --_bad: var(--workqueue-bad, #b3261e);
  --_on-accent: var(--workqueue-on-accent, #fff);
  --_quiet: var(--workqueue-quiet, color-mix(in srgb, currentColor 72%, transparent));
  --_track: var(--workqueue-track, color-mix(in srgb, currentColor 14%, transparent));
  line-height: 1.5;
}
@supports (color: light-dark(red, red)) {
  :host {
    --_accent: var(--workqueue-accent, light-dark(#2756c5, #8db0ff));
    --_good: var(--workqueue-good, light-dark(#1c7a45, #6fd39b));
    --_bad: var(--workqueue-bad, light-dark(#b3261e, #ffaaa4));
    --_on-accent: var(--workqueue-on-accent, light-dark(#fff, #10182c));
  }
}
:host([hidden]), [hidden] { display: none !important; }
[part=box] { outline: none; }
[part=head], [part=status] { display: flex; justify-content: space-between; gap: 0.25em 1em; }
[part=head] { font-weight: 600; }
[part=label], [part=message], [part=reason] { min-width: 0; overflow-wrap: anywhere; }
[part=percent], [part=remaining] { flex: none; font-variant-numeric: tabular-nums; }
[part=status] > :empty { display: none; }
[part=status] { flex-wrap: wrap; min-height: 1.5em; color: var(--_quiet); font-size: 0.9375em; }
[data-connection=lost] [part=connection] { color: var(--_bad); }
progress {
  display: block;
  box-sizing: border-box;
  width: 100%;
  height: var(--workqueue-height, 0.625em);
  margin: 0.5em 0;
  border: 0;
  border-radius: 1em;
  overflow: hidden;
  appearance: none;
  background: var(--_track);
  color: var(--_accent);
}
:host([state=done]) progress { color: var(--_good); }
progress::-webkit-progress-bar { background: transparent; }
progress::-webkit-progress-value { border-radius: 1em; background: currentColor; transition: inline-size 0.3s; }
progress::-moz-progress-bar { border-radius: 1em; background: currentColor; }
progress:indeterminate {
  background: linear-gradient(90deg, transparent 30%, currentColor 50%, transparent 70%) 0 0 / 200% 100%, var(--_track);
  animation: waiting 1.8s linear infinite;
}
progress:indeterminate::-moz-progress-bar { background: transparent; }
[data-connection=lost] progress::-webkit-progress-value { opacity: 0.5; }
[data-connection=lost] progress::-moz-progress-bar { opacity: 0.5; }
[data-connection=lost] progress:indeterminate { background: var(--_track); animation: none; }
@keyframes waiting { from { background-position: 150% 0; } to { background-position: -50% 0; } }
[part=failure] {
  margin-top: 0.5em;
  padding: 0.875em 1em 1em;
  border: 1px solid color-mix(in srgb, var(--_bad) 40%, transparent);
  border-radius: 0.5em;
  background: color-mix(in srgb, var(--_bad) 7%, transparent);
}
[part=title] { color: var(--_bad); font-weight: 600; }
[part=reason] { max-height: 12em; margin: 0.25em 0 0.75em; overflow: auto; white-space: pre-wrap; }
button {
  padding: 0.4em 1em;
  border: 1px solid transparent;
  border-radius: 0.4em;
  background: var(--_accent);
  color: var(--_on-accent);
  font: inherit;
  font-weight: 600;
  cursor: pointer;
}
button:hover { filter: brightness(1.08); }
button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
[part=spoken] { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (prefers-reduced-motion: reduce) {
  progress:indeterminate { animation: none; background-position: 50% 0; }
  progress::-webkit-progress-value { transition: none; }
}
@media (forced-colors: active) {
  :host { --_accent: Highlight; --_good: Highlight; --_track: Canvas; }
  progress { border: 1px solid CanvasText; forced-color-adjust: none; }
  button { border-color: ButtonText; background: ButtonFace; }
}`;

/** An element of the shadow tree. `part` is for the page's style sheet, the equal id for labels. */
function make(name, part, attributes, ...children) {
  const element = document.createElement(name);
  element.id = part;
  element.setAttribute("part", part);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Down to whole percents or tenths: what is not complete never reads as 100%. (0.29 * 100 is 28.999999999999996.) */
const floor = (fraction, steps) => Math.floor(fraction * steps + 1e-9) / steps;

// A constructed sheet, made once: a policy without 'unsafe-inline' forbids `style` in the tree. (No HTMLElement: this
// is a worker, or a server that renders pages; there the module may be loaded all the same.)
let sheet;

export class WorkqueueProgress extends (globalThis.HTMLElement ?? class {}) {
  static observedAttributes = ["src", "label"];
  static texts = {};

  #parts = {};
  #texts = {};
  #request = {};
  #running = null; // the AbortController of what is under way
  #wish = null; // what was asked for last
  #isPlanned = false;
  #state = "idle";
  #event = null;
  #connection = null; // only what is worth showing
  #failure = null;
  #pace = null;
  #remaining = null;
  #spoken = "";

  constructor() {
    super();
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
    }
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const part = (name, id, attributes = {}, ...children) =>
      (this.#parts[id] = make(name, id, attributes, ...children));
    const unspoken = { "aria-hidden": true }; // the bar says it
    root.append(
      // Focusable for the moment when the button that has the focus goes away.
      part(
        "div",
        "box",
        { role: "group", tabindex: -1, "aria-labelledby": "label" },
        part("div", "head", {}, part("label", "label", { for: "bar" }), part("span", "percent", unspoken)),
        part("progress", "bar", { max: 1, "aria-describedby": "message" }),
        part("div", "status", {}, part("span", "message"), part("span", "connection"), part("span", "remaining")),
        part(
          "div",
          "failure",
          {},
          part("div", "alert", { role: "alert" }, part("div", "title"), part("div", "reason")),
          part("button", "again", { type: "button" }),
        ),
        part("div", "spoken", { role: "status" }),
      ),
    );
    this.#parts.again.addEventListener("click", () => {
      // A page that is loaded again passes the gate that sent its request elsewhere.
      if (this.#failure?.refused?.redirected) location.reload();
      else this.start();
    });
  }

  // ---- What a page sets

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(value) {
    this.setAttribute("src", value);
  }

  get label() {
    return this.getAttribute("label") ?? "";
  }

  set label(value) {
    this.setAttribute("label", value);
  }

  get manual() {
    return this.hasAttribute("manual");
  }

  set manual(value) {
    this.toggleAttribute("manual", Boolean(value));
  }

  get request() {
    return this.#request;
  }

  set request(value) {
    this.#request = value ?? {};
    this.#startSoon();
  }

  get texts() {
    return this.#texts;
  }

  set texts(value) {
    this.#texts = value ?? {};
    this.#render();
  }

  get state() {
    return this.#state;
  }

  // ---- Beginning and end

  connectedCallback() {
    // What was set before this class was there is in the way of the accessors.
    for (const name of ["src", "label", "manual", "request", "texts"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    this.#render();
    this.#startSoon();
  }

  disconnectedCallback() {
    // To move an element is to remove and to insert it.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.stop();
      if (this.#state === "idle") this.#wish = null; // it is asked again when it comes back
    });
  }

  attributeChangedCallback(name, before, after) {
    this.#render();
    if (name === "src" && before !== after) this.#startSoon();
  }

  /**
   * Once for all that a page sets in one go; and not for what it asked for already, ended or not: frameworks set what
   * they render each time that they do, and a listener of ours may well be why.
   */
  #startSoon() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (!this.isConnected || !this.src || this.manual) return;
      if (!isEqual(this.#wish, wishOf(this.src, this.#request))) this.start();
    });
  }

  start() {
    if (!this.src) throw new TypeError("workqueue-progress: src is not set");
    this.stop();
    if (this.shadowRoot.activeElement === this.#parts.again) this.#parts.box.focus();
    this.#event = this.#connection = this.#failure = this.#pace = this.#remaining = null;
    this.#state = "starting";
    this.#wish = wishOf(this.src, this.#request);
    this.#render();
    this.#running = new AbortController();
    this.#run(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
    if (this.#state === "done" || this.#state === "failed") return;
    this.#state = "idle";
    this.#connection = this.#remaining = null;
    this.#render();
  }

  async #run(signal) {
    const onConnection = (connection) => {
      if (signal.aborted) return;
      this.#connection = connection.error && connection;
      this.#render();
      this.#tell("connection", connection);
    };
    try {
      for await (const event of watch(this.src, { ...this.#request, signal, onConnection })) {
        this.#take(event);
        this.#tell("progress", event);
        if (signal.aborted || event.returncode == null) continue;
        if (event.returncode === 0) this.#tell("done", event);
        else this.#tell("failed", this.#failure);
      }
    } catch (error) {
      // A refusal; else a mistake of the page, such as a header that is none.
      if (signal.aborted) return;
      const refused = error instanceof RefusedError ? error : null;
      this.#fail({ error: error.message, returncode: null, refused });
      this.#tell("failed", this.#failure);
    }
  }

  #take(event) {
    const { n_ahead_in_queue: ahead, fraction, error, returncode, eta } = event;
    this.#event = event;
    if (returncode) {
      this.#fail({ error: error ?? "", returncode, refused: null });
      return;
    }
    this.#state = returncode === 0 ? "done" : ahead > 0 ? "queued" : "running";
    const now = performance.now();
    if (this.#state !== "running" || fraction < this.#pace?.last.fraction) this.#pace = null; // it was started again
    // The server tells how long a build waits, and knows whether that is credible; how long it runs is seen here.
    this.#remaining = this.#state === "queued" ? (eta ?? null) : null;
    if (this.#state === "running") {
      this.#pace ??= new Pace(fraction, now);
      this.#remaining = this.#pace.add(fraction, now);
    }
    this.#render();
  }

  #fail(failure) {
    this.#state = "failed";
    this.#failure = failure;
    this.#connection = this.#remaining = null;
    this.#render();
    // What a program says last is what it failed of; a refusal is to be read from its beginning.
    const { reason } = this.#parts;
    reason.scrollTop = failure.refused ? 0 : reason.scrollHeight;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // ---- What a person sees and hears

  get #language() {
    const { lang } = this.closest("[lang]") ?? document.documentElement;
    try {
      return Intl.getCanonicalLocales(lang || [])[0];
    } catch {
      return undefined; // "en_US", say: the browser's own language
    }
  }

  #text(name, value) {
    const text = { ...TEXTS, ...WorkqueueProgress.texts, ...this.#texts }[name];
    return String(typeof text === "function" ? text(value, this.#language) : text);
  }

  #render() {
    const state = this.#state;
    const { n_ahead_in_queue: ahead = 0, fraction = 0, message = "" } = this.#event ?? {};
    const { label, percent, bar, connection, remaining, failure, spoken, box, ...parts } = this.#parts;
    const isUnder = state === "starting" || state === "queued" || state === "running";
    const isKnown = state === "done" || (state === "running" && (fraction > 0 || Boolean(message)));
    const lost = isUnder ? this.#connection : null;
    // (A constructor may not give its element attributes; an element that was never inserted has none to show.)
    if (this.isConnected) this.setAttribute("state", state);

    const name = this.label || this.#text("label");
    setText(label, name);
    setText(percent, isKnown ? this.#text("percent", floor(fraction, 100)) : "");
    if (isKnown) bar.value = fraction;
    else if (isUnder) bar.removeAttribute("value");
    else bar.value = 0;
    bar.hidden = parts.status.hidden = state === "failed";

    const says = {
      idle: () => "",
      starting: () => this.#text("starting"),
      queued: () => this.#text("ahead", ahead),
      running: () => message || (isKnown ? "" : this.#text("starting")),
      done: () => this.#text("done"),
      failed: () => "",
    }[state]();
    box.dataset.connection = lost?.state ?? "";
    setText(connection, lost ? this.#text(lost.state, lost.error) : "");
    setText(parts.message, lost ? "" : says);
    const isTold = !lost && this.#remaining !== null;
    setText(remaining, isTold ? this.#text(state === "queued" ? "wait" : "remaining", this.#remaining) : "");

    failure.hidden = state !== "failed";
    setText(parts.title, failure.hidden ? "" : this.#text("failed", this.#failure));
    setText(parts.reason, failure.hidden ? "" : this.#text("reason", this.#failure));
    setText(parts.again, this.#text(this.#failure?.refused?.redirected ? "login" : "again"));

    // For a screen reader: each tenth and, of a long queue, each tenth place; not each event.
    const tenth = floor(fraction, 10);
    const place = ahead > 10 ? Math.ceil(ahead / 10) * 10 : ahead;
    const key = lost ? lost.state : state + (state === "queued" ? place : isKnown ? tenth : "");
    if (key === this.#spoken) return;
    this.#spoken = key;
    const isWaiting = state === "queued" && isTold;
    const stand = isKnown && state === "running" ? this.#text("percent", tenth) : says;
    const news = lost ? connection.textContent : isWaiting ? `${stand}. ${remaining.textContent}` : stand;
    spoken.textContent = news && `${name}: ${news}`;
  }
}

// Loaded twice, under two addresses, it is there already.
if (globalThis.customElements && !customElements.get("workqueue-progress")) {
  customElements.define("workqueue-progress", WorkqueueProgress);
}
