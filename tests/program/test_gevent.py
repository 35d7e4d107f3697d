"""Below gevent, which replaces `subprocess` and reaps children in a loop of its own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import write_program

SERVER = """
from gevent import monkey
monkey.patch_all()
import json, signal, subprocess, sys
import gevent
from workqueue import WorkQueue
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
signal.signal(signal.SIGHUP, signal.SIG_IGN)
queue = WorkQueue(sys.argv[1], storage_dir=sys.argv[2])
ends = []
for i in range(10):
    # The loop reaps the children of both.
    other = gevent.spawn(subprocess.run, ["true"])
    ends.append(queue.ensure_run((str(i % 2), str(i))).wait(20))
    other.get()
print(json.dumps([subprocess.Popen.__module__, ends]))
queue.close()
"""

#: The signals 32 and 33, which glibc keeps to itself: either may be blocked, whatever anybody asks for.
OF_THE_C_LIBRARY = 0x180000000


def test_programs_start_clean_and_their_statuses_arrive(tmp_path: Path) -> None:
    program = write_program(
        tmp_path / "program",
        """
        signals="$(sed -n 's/^Sig\\(Blk\\|Ign\\):.0*//p' /proc/self/status | tr '\\n' ' ')"
        [ "$1" = 0 ] || { echo "signals: $signals" >&2; exit 3; }
        echo built > "$output"
        """,
    )
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(program), str(tmp_path / "results")],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    module, ends = json.loads(done.stdout)
    assert module == "gevent.subprocess"
    assert [end[3] for end in ends] == [0, 3] * 5
    blocked_or_ignored = [word for end in ends if end[4] for word in end[4].rpartition("signals: ")[2].split()]
    assert [word for word in blocked_or_ignored if int(word, 16) & ~OF_THE_C_LIBRARY] == []
