"""host: the machine and the packages that a report is about -> pairs of words; nobody's name or directory."""

import datetime
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import REQUIREMENTS


def facts() -> list[tuple[str, str]]:
    """What a reader must know before figures mean anything; called before anything is measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    peers = [requirement.replace("==", " ") for needed in REQUIREMENTS.values() for requirement in needed]
    return [
        ("date", datetime.datetime.now(datetime.UTC).date().isoformat()),
        ("processor", f"{_processor()}, {cores} cores"),
        ("load before it began", f"{os.getloadavg()[0]:.1f} of {cores} cores"),
        ("system", f"{platform.system()} {_kernel()}, {platform.machine()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("workqueue", f"{version('overview-plugin-workqueue')}, with reactivex {version('reactivex')}"),
        ("beside it", ", ".join(peers)),
    ]


def _kernel() -> str:
    """Its version, without what a builder has put behind that."""
    found = re.match(r"[0-9.]+", platform.release())
    return found[0] if found else platform.release()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
