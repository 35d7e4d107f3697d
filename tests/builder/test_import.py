"""A program that imports the helper pays for nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import workqueue

ROOT = Path(workqueue.__file__).parent.parent

#: All that it may bring: modules that are part of the interpreter, or have no imports of their own.
CHEAP = {"_contextvars", "contextvars", "time", "__future__"}

# Without site, whose imports hide ours, and with what the rest of the library needs made unimportable.
_SCRIPT = """
import os, sys  # os: a start with site brings it
sys.path.insert(0, sys.argv[1])
for name in ("reactivex", "typing", "re", "pathlib"):
    sys.modules[name] = None
before = set(sys.modules)
import workqueue.builder
new = sorted(set(sys.modules) - before)
workqueue.builder.progress(0.5, repr(new).replace("'", '"'))
"""


def test_it_imports_a_few_cheap_modules_and_works_without_the_rest() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SCRIPT, ROOT], stdout=subprocess.PIPE, check=True, text=True
    )
    fraction, _, modules = done.stdout.partition("\t")
    assert fraction == "0.5"
    brought = set(json.loads(modules))
    ours = {name for name in brought if name.split(".")[0] == "workqueue"}
    assert {name for name in ours if not name.startswith("workqueue.builder")} == {"workqueue"}
    assert brought - ours <= CHEAP
