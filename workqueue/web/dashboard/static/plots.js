// Three plots of the last hour, as SVG. Each says in a sentence below it what it shows.

import { counted, duration, median, number } from "./words.js";

const WIDTH = 360;
const HEIGHT = 150;
const LEFT = 50;
const RIGHT = 8;
const BOTTOM = 18;
const HOUR = 3600;

const element = (id) => document.getElementById(id);

function draw(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

const round = (value) => Math.round(value * 10) / 10;

/** Where a moment is, in seconds before the end. */
const xOf = (ago) => round(WIDTH - RIGHT - (ago / HOUR) * (WIDTH - LEFT - RIGHT));

function label(x, y, text, anchor = "middle") {
  return draw("text", { x, y, "text-anchor": anchor }, text);
}

/** The times below a plot, with a line up for each. */
function timeAxis() {
  return [60, 40, 20, 0].flatMap((minutes) => {
    const x = xOf(minutes * 60);
    const anchor = minutes === 0 ? "end" : minutes === 60 ? "start" : "middle";
    return [
      draw("line", { class: "grid", x1: x, x2: x, y1: 8, y2: HEIGHT - BOTTOM }),
      label(x, HEIGHT - 4, minutes === 0 ? "now" : `−${minutes} min`, anchor),
    ];
  });
}

function replace(id, text, ...children) {
  const svg = element(id);
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.replaceChildren(...children);
  const sentence = element(`${id}-text`);
  if (sentence.textContent !== text) sentence.textContent = text;
}

/** The first round number that is not below: 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 25 ... */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  const candidates = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((factor) => factor * power);
  return candidates.find((candidate) => candidate >= value && Number.isInteger(candidate));
}

// ---- Running and waiting: two lanes, each with its own scale, since two may run while two thousand wait --------------

function lane(values, step, top, bottom, name) {
  const most = roundUp(Math.max(0, ...values.map((value) => value ?? 0)));
  const yOf = (value) => round(bottom - (value / most) * (bottom - top));
  const parts = [];
  let known = [];
  const flush = () => {
    if (known.length === 0) return;
    const steps = known.flatMap(([i, value]) => [
      `${xOf((values.length - i) * step)},${yOf(value)}`,
      `${xOf((values.length - i - 1) * step)},${yOf(value)}`,
    ]);
    const [first, last] = [xOf((values.length - known[0][0]) * step), xOf((values.length - known.at(-1)[0] - 1) * step)];
    parts.push(draw("polygon", { class: `area ${name}`, points: `${first},${bottom} ${steps.join(" ")} ${last},${bottom}` }));
    parts.push(draw("polyline", { class: `line ${name}`, points: steps.join(" ") }));
    known = [];
  };
  values.forEach((value, i) => (value === null ? flush() : known.push([i, value])));
  flush();
  return [
    draw("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }),
    label(LEFT - 5, top + 7, number(most), "end"),
    label(LEFT - 5, bottom, "0", "end"),
    ...parts,
    draw("text", { x: LEFT + 4, y: top + 8, class: `name ${name}` }, name),
  ];
}

function drawLine({ history, running, waiting }) {
  const { step } = history;
  const most = (values) => Math.max(0, ...values.map((value) => value ?? 0));
  replace(
    "plot-line",
    `Now ${number(running)} running and ${number(waiting)} waiting; in the last hour at most ${number(most(history.running))} and ${number(most(history.waiting))}.`,
    ...timeAxis(),
    ...lane(history.running, step, 8, 62, "running"),
    ...lane(history.waiting, step, 76, HEIGHT - BOTTOM, "waiting"),
  );
}

// ---- Wait and run times, each job that has ended a circle and a square -----------------------------------------------

const TICKS = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000];
const TICK_NAMES = ["1 ms", "10 ms", "0.1 s", "1 s", "10 s", "1 min", "10 min", "1 h", "10 h", "100 h"];

function timesOf({ queued_at, began_at, ended_at }) {
  return {
    wait: queued_at === null || began_at === null ? null : Math.max(0, began_at - queued_at),
    run: began_at === null ? null : Math.max(0, ended_at - began_at),
  };
}

function drawTimes({ ends, history }) {
  const points = ends.map((end) => ({ ago: history.end - end.ended_at, ...timesOf(end) }));
  const seconds = points.flatMap(({ wait, run }) => [wait, run]).filter((value) => value !== null && value >= TICKS[0]);
  const [low, high] = seconds.length ? [Math.min(...seconds), Math.max(...seconds)] : [0.1, 60];
  const from = Math.max(0, TICKS.findLastIndex((tick) => tick <= low));
  let to = TICKS.findIndex((tick) => tick >= high);
  if (to === -1) to = TICKS.length - 1;
  if (to <= from) to = from + 1;
  const [bottom, top] = [HEIGHT - BOTTOM, 12];
  const place = (value) => Math.log(value / TICKS[from]) / Math.log(TICKS[to] / TICKS[from]);
  const yOf = (value) => round(bottom - Math.min(1, Math.max(0, place(Math.max(value, 1e-9)))) * (bottom - top));
  const marks = points.flatMap(({ ago, wait, run }) => {
    const x = xOf(ago);
    return [
      ...(wait === null ? [] : [draw("circle", { class: "mark waiting", cx: x, cy: yOf(wait), r: 2.5 })]),
      ...(run === null ? [] : [draw("rect", { class: "mark running", x: round(x - 2.2), y: round(yOf(run) - 2.2), width: 4.4, height: 4.4 })]),
    ];
  });
  const ticks = TICKS.slice(from, to + 1).flatMap((tick, i) => [
    draw("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: yOf(tick), y2: yOf(tick) }),
    label(LEFT - 5, yOf(tick) + 3, TICK_NAMES[from + i], "end"),
  ]);
  const said = (values) => (values.length ? duration(median(values)) : "no time");
  const waits = points.map(({ wait }) => wait).filter((value) => value !== null);
  const runs = points.map(({ run }) => run).filter((value) => value !== null);
  const text = waits.length + runs.length
    ? `Half of the jobs waited at most ${said(waits)} (circles), and ran at most ${said(runs)} (squares).`
    : "No job has ended.";
  replace("plot-times", text, ...timeAxis(), ...ticks, ...marks);
}

// ---- Failures: of the jobs that ended in each five minutes, how many failed -------------------------------------------

const BARS = 12;

function drawFailures({ ends, history, outcomes }) {
  const width = HOUR / BARS;
  const bars = Array.from({ length: BARS }, () => ({ failed: 0, other: 0 }));
  for (const { ended_at, outcome } of ends) {
    const i = BARS - 1 - Math.floor((history.end - ended_at) / width);
    if (i >= 0 && i < BARS) bars[i][outcome === "failed" ? "failed" : "other"] += 1;
  }
  const most = roundUp(Math.max(0, ...bars.map(({ failed, other }) => failed + other)));
  const [bottom, top] = [HEIGHT - BOTTOM, 12];
  const heightOf = (n) => round((n / most) * (bottom - top));
  const drawn = bars.flatMap(({ failed, other }, i) => {
    const x = xOf((BARS - i) * width) + 2;
    const size = round((WIDTH - LEFT - RIGHT) / BARS) - 4;
    const [high, rest] = [heightOf(failed), heightOf(other)];
    return [
      ...(other ? [draw("rect", { class: "bar other", x, y: round(bottom - high - rest), width: size, height: rest })] : []),
      ...(failed ? [draw("rect", { class: "bar failed", x, y: round(bottom - high), width: size, height: high })] : []),
    ];
  });
  const failed = outcomes.failed ?? 0;
  replace(
    "plot-failures",
    ends.length ? `${number(failed)} of ${counted(ends.length, "job")} that ended failed (the lower part of each bar).` : "No job has ended.",
    ...timeAxis(),
    draw("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }),
    label(LEFT - 5, top + 3, number(most), "end"),
    label(LEFT - 5, bottom, "0", "end"),
    ...drawn,
  );
}

/** Draw a snapshot. */
export function drawPlots(snapshot) {
  drawLine(snapshot);
  drawTimes(snapshot);
  drawFailures(snapshot);
}
