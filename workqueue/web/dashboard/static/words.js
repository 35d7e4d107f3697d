// What numbers are in words, for people.

/** Seconds as "12 s", "3 min 5 s", "2 h 10 min"; the smaller of two units only where it says something. */
export function duration(seconds) {
  if (seconds < 1) return seconds < 0.001 ? "0 s" : `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Whole seconds, for what changes while one looks at it. */
export function roughDuration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return whole < 10 ? `${whole} s` : duration(whole);
}

export const number = (value) => value.toLocaleString("en");

/** "1 job", "2,000 jobs". */
export const counted = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** A key is a long hash; its beginning tells one from another. */
export const shortKey = (key) => (key.length > 12 ? `${key.slice(0, 10)}…` : key);

/** The value that stands in the middle; undefined of none. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}
