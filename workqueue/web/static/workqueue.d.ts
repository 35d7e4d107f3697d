/** One event of a job, as the server sends it. */
export interface Progress {
  /** How many jobs come before this one; 0 once it runs. */
  readonly n_ahead_in_queue: number;
  /** 0 to 1; 1 on the last event, also of a failure. */
  readonly fraction: number;
  /** What the program said. It is text, never HTML. */
  readonly message: string | null;
  /** null until the last event; then 0, or something else for a failure. */
  readonly returncode: number | null;
  /** Why it failed, else null. */
  readonly error: string | null;
  /** About how many seconds until it begins. Missing where it does not wait, or nobody can tell. */
  readonly eta?: number;
}

/**
 * How the connection is, which says nothing about the job.
 *
 * - `open`: an event has come.
 * - `away`: the tab is hidden; the stream was given up, and is looked into now and then.
 * - `lost`: it broke, stood still, or did not come up; told at each attempt that fails.
 * - `busy`: the server asked to come back later (`Retry-After`), as it does when its queue is full.
 */
export interface Connection {
  readonly state: "open" | "away" | "lost" | "busy";
  /** Milliseconds until the next attempt, for `lost` and `busy`. A network that is back may end it earlier. */
  readonly retryIn: number | null;
  /** What happened, for `lost` and `busy`. A `RefusedError` if the server has answered. */
  readonly error: Error | null;
}

/** The server's answer is no: a status that asking again will not change, or no stream of progress. */
export class RefusedError extends Error {
  constructor(status: number, title?: string, detail?: string, redirected?: boolean);
  readonly name: "RefusedError";
  /** 0 for a redirect to another origin, which nobody may look into. */
  readonly status: number;
  /** Of `application/problem+json` (RFC 9457), else the status in words; may be empty. */
  readonly title: string;
  /** What is wrong and what to do, of `application/problem+json`; else empty. */
  readonly detail: string;
  /** The server sent the request to another page, most likely to log in: the session is over. */
  readonly redirected: boolean;
}

/** What is asked for. */
export interface WatchRequest {
  /**
   * A plain object and a FormData, which may hold no files, are sent as form fields; all else as fetch sends it. It is
   * sent again at each attempt, so a stream will not do.
   */
  body?: Record<string, string> | URLSearchParams | FormData | string | Blob | BufferSource | null;
  /** The API token: the user of `Authorization: Basic`, in UTF-8. */
  token?: string | null;
  /** They win over what is made of the other options. */
  headers?: HeadersInit;
  /** Default `"POST"`. */
  method?: string;
  /** Default `"same-origin"`. */
  credentials?: RequestCredentials;
  /** Milliseconds without a byte until a connection is dead; more than the server's heartbeat. Default 45,000. */
  stall?: number;
  /** Milliseconds of the first pause after a loss, which then doubles; up to a half less at random. Default 500. */
  firstPause?: number;
  /** Milliseconds that no such pause exceeds. Default 15,000. A `Retry-After` comes on top, up to two minutes. */
  longestPause?: number;
  /** Milliseconds between looks from a hidden tab, give or take a quarter; 0: it keeps its stream. Default 20,000. */
  glance?: number;
  /** Milliseconds that a tab is hidden before it gives up its stream. Default 5,000. */
  grace?: number;
}

export interface WatchOptions extends WatchRequest {
  /** Ends the iteration, which throws the signal's reason, as fetch does: an `AbortError` unless you gave another. */
  signal?: AbortSignal | null;
  /** Told whenever the connection's state changes. What it throws ends the iteration. */
  onConnection?: ((connection: Connection) => void) | null;
}

/**
 * Follow a job to its end: its events, the last one with a `returncode`. Heartbeats repeat the latest event.
 *
 * A connection that is lost is made again, for as long as it takes; the job's latest event is the first that comes.
 * A line that is not a JSON object, or endless (more than 1,048,576 characters), counts as a lost connection. After a
 * status of 408, 425, 429, 502, 503, 504 or 521 to 524 it asks again; all other refusals are thrown, 500 too.
 *
 * A response that has brought no byte after 20 s, or after `stall` where you give that, may be held back by a proxy until
 * it is whole. Then it asks for short ones, by `Accept: text/event-stream;wait=5`, unless `headers` has an Accept.
 * After three of them that came at once it tries a long one again, of server-sent events; if that is held back too, no
 * more.
 *
 * @throws {RefusedError} from `next()`: the server's answer is no.
 * @throws {TypeError} from `next()`: an argument is wrong.
 */
export function watch(url: string | URL, options?: WatchOptions): ProgressIterator;

/** Made for `for await`. To leave that, or `return()`, ends the request at once, also while `next()` waits. */
export interface ProgressIterator extends AsyncIterableIterator<Progress> {
  next(): Promise<IteratorResult<Progress, undefined>>;
  return(value?: undefined): Promise<IteratorResult<Progress, undefined>>;
  [Symbol.asyncIterator](): ProgressIterator;
}

/** Why a `<workqueue-progress>` shows a failure. */
export interface Failure {
  /** The event's `error`, the refusal's reason, or the text of what was thrown. */
  readonly error: string;
  /** null if there was no event: then the request failed. */
  readonly returncode: number | null;
  readonly refused: RefusedError | null;
}

/** A text, or what makes it, given the language of the element (its nearest `lang`; undefined: the browser's). */
export type Text<Value> = string | ((value: Value, language: string | undefined) => string);

/** What `<workqueue-progress>` says. All are shown as text. */
export interface Texts {
  /** The name of the bar where there is no `label`: "Building". */
  label: Text<undefined>;
  /** Given how many builds are ahead, one or more. */
  ahead: Text<number>;
  /** Given the seconds until it starts, where the server can tell. Stands beside `ahead`. */
  wait: Text<number>;
  /** As long as the program has said nothing. */
  starting: Text<undefined>;
  /** Given a fraction of whole percents. By default `Intl.NumberFormat`. */
  percent: Text<number>;
  /** Given the seconds that are left of a build that runs. Asked for only when that can be told; see `WorkqueueProgress`. */
  remaining: Text<number>;
  lost: Text<Error>;
  busy: Text<Error>;
  done: Text<undefined>;
  /** The failure's headline. */
  failed: Text<Failure>;
  /** By default the program's own words, without the frame that the queue puts around them. */
  reason: Text<Failure>;
  /** The button. */
  again: Text<undefined>;
  /** The button where a session is over; it loads the page again. */
  login: Text<undefined>;
}

export type WorkqueueProgressState = "idle" | "starting" | "queued" | "running" | "done" | "failed";

/** The events of the element. They do not bubble. */
export interface WorkqueueProgressEventMap {
  /** Each event of the job, the last one too. */
  progress: CustomEvent<Progress>;
  /** The result is there. */
  done: CustomEvent<Progress>;
  /** The job failed, or the request was refused. */
  failed: CustomEvent<Failure>;
  /** As `onConnection`. */
  connection: CustomEvent<Connection>;
}

/**
 * `<workqueue-progress src="/generate" label="Building the index">`
 *
 * Starts by itself when it is in a document and has a `src`, and anew when `src` or `request` comes to ask for something
 * else, unless it has the attribute `manual`. A `request` that is equal to the last one, in its method, headers, token,
 * body and credentials, is no new one, whether that has ended or not: `start()` asks anew. What is set in one go starts
 * it once. Leaving the document ends it; being moved does not.
 *
 * The remaining time is told only when it is credible: the fraction is 0.05 or more, three steps forward were seen, and
 * the end that the recent rate foretells has for 5 s not moved by more than half of the time left, and 10 s. How long a
 * build still waits is the server's estimate, `Progress.eta`.
 *
 * The attribute `state` is for style sheets, and so are the parts box, head, label, percent, bar, status, message,
 * connection, remaining, failure, alert, title, reason, again, and the custom properties `--workqueue-accent`,
 * `-on-accent`, `-good`, `-bad`, `-quiet`, `-track`, `-height`. Of a Content-Security-Policy it needs `script-src` and
 * `connect-src`, and nothing for styles.
 */
export class WorkqueueProgress extends HTMLElement {
  static observedAttributes: string[];
  /** Texts of all elements; those that are missing stay as they are. Elements show them from their next event on. */
  static texts: Partial<Texts>;

  /** Where to POST; reflects the attribute. */
  src: string;
  /** The name of the bar; reflects the attribute. */
  label: string;
  /** Whether only `start()` starts it; reflects the attribute. */
  manual: boolean;
  /** Body, token, headers and more. Not attributes, since a token is not for everybody who reads the document. */
  request: WatchRequest;
  /** Texts of this element. */
  texts: Partial<Texts>;
  readonly state: WorkqueueProgressState;

  /** Start, or start anew: ask again, also for what was asked for before. @throws {TypeError} `src` is not set. */
  start(): void;
  /** End the request. The job goes on without its reader. */
  stop(): void;

  addEventListener<K extends keyof WorkqueueProgressEventMap>(
    type: K,
    listener: (this: WorkqueueProgress, event: WorkqueueProgressEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof WorkqueueProgressEventMap>>(
    type: K,
    listener: (this: WorkqueueProgress, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof WorkqueueProgressEventMap>(
    type: K,
    listener: (this: WorkqueueProgress, event: WorkqueueProgressEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<K extends Exclude<keyof HTMLElementEventMap, keyof WorkqueueProgressEventMap>>(
    type: K,
    listener: (this: WorkqueueProgress, event: HTMLElementEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "workqueue-progress": WorkqueueProgress;
  }
}
