"""Of 20 lines that come 100 ms apart, how many does a client see?

Run it with ``python -m benchmarks.seen``; it takes about 15 s.
"""

from benchmarks.answer import Answer, Plot, Target, run
from benchmarks.clock import median
from benchmarks.consumers import ANCESTOR, ASYNCIO, HTTP, THREAD, Seen, seen_by

N_LINES = 20
GAP_SECONDS = 0.1
N_ROUNDS = 5

OURS = (THREAD, ASYNCIO, HTTP)


def measure() -> Answer:
    rounds = [seen_by(dict.fromkeys((*OURS, ANCESTOR), [GAP_SECONDS] * N_LINES)) for _ in range(N_ROUNDS)]
    counts = {who: [len(seen[who]) for seen in rounds] for who in (*OURS, ANCESTOR)}
    return Answer(
        ["who", "lines seen", "the fewest"],
        [[who, median(n), float(min(n))] for who, n in counts.items()],
        [Target(f"lines missed by {who}", N_LINES - min(counts[who]), 0.0) for who in OURS],
        [
            Plot(
                "Lines that a client has seen, in the last round",
                "s since the first line",
                "lines",
                {who: seen_by_then(rounds[-1][who]) for who in (*OURS, ANCESTOR)},
                "plain",
            )
        ],
        [f"The median of {N_ROUNDS} rounds, and the worst; all watch at once, each its own program."],
    )


def seen_by_then(seen: Seen) -> list[tuple[float, float]]:
    """The curve of one client; the first line says when it was printed."""
    first = min(said for said, _ in seen)
    return [(at - first, float(n)) for n, (_, at) in enumerate(seen, 1)]


if __name__ == "__main__":
    run(measure)
