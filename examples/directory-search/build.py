#!/usr/bin/env python3
"""Index the source of PACKAGE: OUTPUT is a directory, with a file for each letter that words begin with."""

import json
import re
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

from workqueue.builder import arguments, fail, part, track

package, output = arguments("package")
spec = find_spec(package)
if spec is None or not spec.submodule_search_locations:
    fail(f"There is no package {package!r}")
root = Path(spec.submodule_search_locations[0])

# letter -> word -> the lines that have it
index = defaultdict(lambda: defaultdict(list))
with part(0.9):
    for path in track(sorted(root.rglob("*.py")), "Reading file {n} of {total}"):
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            for word in set(re.findall(r"[a-z]{3,}", line.lower())):
                index[word[0]][word].append([str(path.relative_to(root)), number, line.strip()])
with part(0.1):
    for letter in track(sorted(index), "Writing file {n} of {total}"):
        Path(output, f"{letter}.json").write_text(json.dumps(index[letter]))
