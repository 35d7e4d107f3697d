"""Is anything lost when processes are killed? Owners, wardens and programs, by SIGKILL, at random, for many rounds.

Four processes share a storage and are asked for the same three keys in each round. Run it from the project's root with
``python -m benchmarks.faults [--rounds 160] [--seed 0]``; it exits with status 1 when a result is not whole, two
programs for one key overlapped, or anything is left; and with an error when a client has no end within 20 s.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.processes.ordeal import Ordeal

WRONG = ("broken results", "overlaps", "leftovers", "orphans")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, Ordeal(Path(directory), options.seed) as ordeal:
        for number in range(options.rounds):
            ordeal.round(number)
        ordeal.finish()
    print(f"{options.rounds} rounds in {time.monotonic() - began:.0f} s")
    for name in sorted({*ordeal.counts, *WRONG}):
        print(f"{name:20} {ordeal.counts[name]:6}")
    return int(any(ordeal.counts[name] for name in WRONG))


if __name__ == "__main__":
    sys.exit(main())
