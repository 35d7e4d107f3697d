#!/usr/bin/env python3
"""Write a report on NAME to OUTPUT, and take SECONDS over it."""

import time

from workqueue.builder import arguments, track

name, seconds, output = arguments("name", "seconds")
with open(output, "w") as report:
    for chapter in track(range(1, 21), "Writing chapter {n} of {total}"):
        time.sleep(float(seconds) / 20)
        report.write(f"Chapter {chapter} of the report on {name}\n")
