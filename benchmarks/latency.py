"""How long does a line take from the program to who watches, and are any lost?

Each program prints the time of day, at gaps of 50 to 400 ms; each watcher notes when it sees that. All watch at once,
each its own program. Run it with ``python -m benchmarks.latency``; it takes about 50 s.
"""

import random

from benchmarks.answer import Answer, Cell, Plot, Target, run
from benchmarks.clock import percentile, spread
from benchmarks.consumers import ANCESTOR, ASYNCIO, BROADCAST, HTTP, PROCESS, SAQ, THREAD, Seen, seen_by
from benchmarks.redis_server import MISSING

N_LINES = 200
SEED = 6

OURS = (THREAD, ASYNCIO, HTTP, PROCESS)
PEERS = (ANCESTOR, BROADCAST, SAQ)


def measure() -> Answer:
    seen = seen_by({who: gaps(who) for who in (*OURS, *PEERS)})
    figures = {who: figures_of(pairs) for who, pairs in seen.items()}
    nothing: list[Cell] = [None, None, None]
    p50, p99, lost = (max(figures[who][i] for who in OURS) for i in range(3))
    return Answer(
        ["who", "p50, ms", "p99, ms", "lost, %"],
        [[who, *figures.get(who, nothing)] for who in (*OURS, *PEERS)],
        [
            Target("line to the slowest of our four, p50, ms", p50, 1.0),
            Target("line to the slowest of our four, p99, ms", p99, 10.0),
            Target("lines lost on the way to any of our four, %", lost, 0.0),
        ],
        [
            Plot(
                "From a line to who watches",
                "% of the lines that were seen",
                "ms at most",
                {who: spread((at - said) * 1e3 for said, at in seen[who]) for who in (*OURS, *PEERS) if who in seen},
                "spread",
            )
        ],
        [
            f"{N_LINES} lines each; those that were lost are in no percentile.",
            "HTTP is NDJSON from uvicorn, read by another process. The one named so shares the storage of the owner's.",
            "SAQ's job updates itself in one process, and is watched in another.",
            *([] if SAQ in seen else [MISSING]),
        ],
    )


def gaps(who: str) -> list[float]:
    """Seconds, the same in each report."""
    generator = random.Random(f"{SEED} {who}")
    return [generator.uniform(0.05, 0.4) for _ in range(N_LINES)]


def figures_of(seen: Seen) -> list[float]:
    """Percentiles in milliseconds, and the share that was lost in percent."""
    late = [(at - said) * 1e3 for said, at in seen]
    return [percentile(late, 50), percentile(late, 99), 100.0 * (N_LINES - len(late)) / N_LINES]


if __name__ == "__main__":
    run(measure)
