"""A call that greenlets wait for returns what it returns, and raises what it raises."""

import os
import subprocess
import sys
import threading

import pytest

from workqueue.system.real_threads import in_real_thread


def test_where_threads_are_threads_it_is_called_by_the_thread_itself() -> None:
    assert in_real_thread(threading.get_ident) == threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        in_real_thread(lambda: 1 // 0)


PATCHES = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import eventlet; eventlet.monkey_patch()",
    "gevent without threading": "from gevent import monkey; monkey.patch_all(thread=False)",
    "imported only": "import gevent.monkey, eventlet.patcher",
}

CALLS = """
from workqueue.system.real_threads import in_real_thread
import threading

def where():
    return threading.get_native_id()

def fail():
    raise LookupError("its own")

here = threading.get_native_id()
print("elsewhere" if in_real_thread(where) != here else "here")
for _ in range(200):
    in_real_thread(where)
try:
    in_real_thread(fail)
except LookupError as err:
    print("raised", err)
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize("kind", PATCHES)
def test_it_is_another_thread_where_threads_are_greenlets(kind: str) -> None:
    done = run(PATCHES[kind] + CALLS)
    where = "elsewhere" if kind in {"gevent", "eventlet"} else "here"
    assert done.stdout == f"{where}\nraised its own\n", done.stderr
    # gevent would print what was raised as what nobody looks at.
    assert "Traceback" not in done.stderr


FORK = """
from workqueue.system.real_threads import in_real_thread
import os
import signal
import sys

waitpid = sys.modules["gevent.monkey"].get_original("os", "waitpid")

print("parent", in_real_thread(lambda: 1), flush=True)
child = os.fork()
if not child:
    signal.alarm(30)  # one that hangs is not left behind
    print("child", [in_real_thread(lambda: i) for i in (2, 3)], flush=True)
    grandchild = os.fork()
    if not grandchild:
        signal.alarm(30)
        print("grandchild", in_real_thread(lambda: 4), flush=True)
        os._exit(0)
    waitpid(grandchild, 0)
    os._exit(0)
waitpid(child, 0)
print("parent", in_real_thread(lambda: 5))
"""


@pytest.mark.parametrize("kind", ["gevent", "gevent without threading", "imported only"])
def test_a_child_of_a_fork_does_not_wait_for_threads_of_its_parent(kind: str) -> None:
    """As a worker of gunicorn's would that looked into its storage before it forked."""
    done = run(PATCHES[kind] + FORK)
    assert done.stdout == "parent 1\nchild [2, 3]\ngrandchild 4\nparent 5\n", done.stderr
