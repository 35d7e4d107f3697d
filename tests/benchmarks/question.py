"""How long is a piece of `string`? Answered at once, or as the environment says."""

import os
import subprocess
import sys

from benchmarks.answer import Answer, Plot, Target, run


def measure() -> Answer:
    match os.environ.get("WORKQUEUE_TEST_QUESTION"):
        case "fails":
            raise RuntimeError("it cannot be measured")
        case "hangs":
            # Waits for a program of its own, which holds a pipe of the test for as long as it lives.
            subprocess.run(["/bin/sh", "-c", 'exec sleep 600 > "$WORKQUEUE_TEST_PIPE"'], check=True)
        case "is silent":
            sys.exit(0)
    return Answer(
        ["who", "length, m"],
        [["workqueue: short", 1.0], ["1.0.1", 12_345.6], ["a|b *<c>*", None]],
        [Target("length, m", 1.0, 2.0), Target("knots", 3.0, 2.0)],
        [Plot("Length", "pieces", "m", {"workqueue": [(1, 1.0), (10, 10.0)], "1.0.1": [(1, 0.0), (10, 5.0)]})],
        ["It is not *that* long."],
    )


if __name__ == "__main__":
    run(measure)
