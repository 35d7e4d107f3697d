"""A queue in a process of its own, told what to do and listened to."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

SCRIPT = Path(__file__).with_name("queue_process.py")
ROOT = SCRIPT.parent.parent.parent

TIMEOUT = 20.0

_GO_ON = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"


class Worker:
    """One process; as a context manager it closes its queue at the end, unless it was killed.

    Args:
        program, storage, options: of its queue.
        pass_fds: descriptors that it inherits.
        package: the directory or the zip file where it has the library from.
        before: Python that makes it the process that it is to be, before it imports anything else.
        env: what to add to its environment.
        script: what it runs.
    """

    def __init__(
        self,
        program: Path,
        storage: Path,
        *,
        pass_fds: tuple[int, ...] = (),
        package: Path = ROOT,
        before: str = "",
        env: Mapping[str, str] = MappingProxyType({}),
        script: Path = SCRIPT,
        **options: object,
    ) -> None:
        told = {"program_path": str(program), "storage_dir": str(storage), **options}
        path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
        run = [str(script)] if not before else ["-c", f"{before}\n{_GO_ON}", str(script)]
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", *run, json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            env={**os.environ, "PYTHONPATH": path, **env},
        )
        self._said: defaultdict[str, list[Any]] = defaultdict(list)
        self._heard = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name="worker")
        self._thread.start()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(TIMEOUT)
        finally:
            self.kill()
            self._thread.join()
            self.process.stdout.close()

    def kill(self) -> None:
        """Kill it, as SIGKILL does."""
        self.process.kill()
        self.process.wait()

    def tell(self, action: str, key: object = "", *details: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([action, key, *details]) + "\n")
        self.process.stdin.flush()

    def said(self, key: str) -> list[Any]:
        """All it has said of this key."""
        with self._heard:
            return self._said_of(key)

    def forget(self) -> None:
        """Begin anew to note what it says."""
        with self._heard:
            self._said.clear()

    def hear(self, key: str, is_it: Callable[[Any], object], after: int = 0, *, seconds: float | None = None) -> Any:
        """Return the first that it says of this key which is it, when it does; `after` so many others."""

        def found() -> list[Any]:
            return [what for what in self._said_of(key)[after:] if is_it(what)]

        with self._heard:
            assert self._heard.wait_for(found, TIMEOUT if seconds is None else seconds), (key, self._said)
            return found()[0]

    def _said_of(self, key: str) -> list[Any]:
        return list(self._said.get(key, ()))

    def hear_fraction(self, key: str, fraction: float, after: int = 0) -> None:
        self.hear(key, lambda what: isinstance(what, list) and what[1] == fraction and what[3] is None, after)

    def hear_end(self, key: str, after: int = 0) -> int:
        """Return its returncode, when it has ended; 0 also when it was built already."""
        end = self.hear(key, lambda what: what == "built" or (isinstance(what, list) and what[3] is not None), after)
        return 0 if end == "built" else end[3]

    @property
    def pid(self) -> int:
        """The number of the process that has the queue."""
        return self.process.pid

    def children(self) -> dict[int, str]:
        """Its children and their command lines."""
        found = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that has ended meanwhile, whose children are another's
                for pid in (task / "children").read_text().split():
                    with contextlib.suppress(OSError):  # the same of a child
                        found[int(pid)] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    @property
    def warden(self) -> int | None:
        """The process number of its warden."""
        return next((pid for pid, command in self.children().items() if "warden_process" in command), None)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            key, what = json.loads(line)
            with self._heard:
                self._said[key].append(what)
                self._heard.notify_all()
