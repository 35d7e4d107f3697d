"""An object store as a process on loopback, which a test may kill and start again."""

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tests.objects.ports import free_ports
from tests.servers.server import TIMEOUT, eventually
from tests.tools import find_command, find_program, missing

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: How often other ports are tried, if somebody was faster.
_MAX_TRIES = 3


class ObjectServer(ABC):
    """A server of objects; as a context manager it is started, and killed at the end.

    What it has and what it prints goes into a private directory; the latter into the report of a test that failed, too.

    Args:
        directory: which is made, and is the server's alone.
    """

    kind: ClassVar[str]
    """What a test is called by that runs against it."""

    variable: ClassVar[str]
    """The environment variable that names the program."""

    program: ClassVar[str]
    """What it is called, where PATH has it."""

    package: ClassVar[str]
    """The command that installs it."""

    n_ports: ClassVar[int]
    """How many it needs; the first is where it serves objects."""

    bucket: ClassVar[str] = "wqtest"
    """It is there when the server has started."""

    credentials: ClassVar[MappingProxyType[str, str]]
    """What the server takes, by obstore's names."""

    stop_signal: ClassVar[signal.Signals]
    """The quickest after which nothing is missing."""

    wrong_credentials: ClassVar[MappingProxyType[str, str]]
    """What it refuses: the secret is another."""

    def __init__(self, directory: Path) -> None:
        self._command = self._find()
        self.directory = directory
        self.directory.mkdir(mode=0o700)
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.ports: list[int] = []

    @property
    def port(self) -> int:
        """Where it serves objects."""
        return self.ports[0]

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return self.endpoint_at(self.port)

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    @abstractmethod
    def endpoint_at(self, port: int) -> str:
        """Its URL, by way of another port of loopback, such as a Gate's."""

    @abstractmethod
    def url(self, prefix: str = "", bucket: str | None = None) -> str:
        """Of what is below a prefix, without the endpoint, as ObjectStorage takes it."""

    @abstractmethod
    def _unfinished(self) -> list[str]:
        """The keys, in all of the bucket, of which there are parts and no object."""

    @abstractmethod
    def _arguments(self) -> list[str]:
        """After the program's name; `ports` is known."""

    def _make_bucket(self) -> None:  # noqa: B027 (most need none)
        """Make `bucket`, if the server does not do that itself; raise OSError as long as nothing listens."""

    def options(self, **options: Any) -> dict[str, Any]:
        """Options of a store of obstore's: it gives up after one try, and after 10 seconds. They can be told as JSON.

        Args:
            options: more of them, or others, such as ``endpoint=server.endpoint_at(gate.port)``.
        """
        return {
            "endpoint": self.endpoint,
            "client_options": {"allow_http": True, "timeout": "10s"},
            "retry_config": {"max_retries": 0},
            **self.credentials,
            **options,
        }

    def store(self, prefix: str = "", bucket: str | None = None, **options: Any) -> "ObjectStore":
        """What is below a prefix, by way of obstore; see `options`."""
        from obstore.store import from_url

        return from_url(self.url(prefix, bucket), **self.options(**options))

    def unfinished(self, prefix: str = "") -> list[str]:
        """The keys below a prefix of which parts were uploaded, and which were not completed."""
        return sorted(key for key in self._unfinished() if key.startswith(f"{prefix}/".lstrip("/")))

    def objects(self, prefix: str) -> list[str]:
        """The names below a prefix of all that is there."""
        import obstore

        return sorted(found["path"] for page in obstore.list(self.store(prefix)) for found in page)

    def start(self) -> None:
        """Start it, and return when it has served a request."""
        for n_left in reversed(range(_MAX_TRIES)):
            self.ports = free_ports(self.n_ports)
            try:
                self.restart()
            except ConnectionError:
                if not n_left:
                    raise
            else:
                return

    def restart(self) -> None:
        """Start it on the ports and with the data that it had, and return when it has served a request.

        Raises:
            ConnectionError: it ended at once.
        """
        assert self._process is None, "it runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, *self._arguments()],
                cwd=self.directory,
                # Nobody's settings but those here.
                env={"HOME": str(self.directory), "PATH": os.environ["PATH"], **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            eventually(self._serves)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Send it SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it so that it has all that it had when it is started again. It may wait for connections: cut them."""
        self._end(self.stop_signal)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
        self._clean_up()

    def _environment(self) -> dict[str, str]:
        return {}

    def _clean_up(self) -> None:  # noqa: B027 (as above)
        """Remove what it leaves outside its directory."""

    def _serves(self) -> bool:
        """Whether the bucket is there, and takes an object."""
        import obstore
        from obstore.exceptions import GenericError

        assert self._process is not None
        if self._process.poll() is not None:
            raise ConnectionError(f"the server ended: {self.output}")
        try:
            self._make_bucket()
            # Of those that come while its parts find each other, one may never be answered.
            store = self.store(client_options={"allow_http": True, "timeout": "2s"})
            obstore.put(store, "ready", b"ready", use_multipart=False)
            obstore.delete(store, "ready")
        except (OSError, GenericError):
            return False
        return True

    @classmethod
    def _find(cls) -> list[str]:
        path = os.environ.get(cls.variable) or find_command(cls.program)
        if not path:
            missing(
                f"there is no {cls.program} here: {cls.package}, and have it on PATH, or its path in {cls.variable}"
            )
        path = str(Path(path).resolve())
        if not path.endswith(".js"):
            return [path]
        # What is called node may be a script that starts it, which would be killed in its place.
        node = subprocess.run(
            [find_program("node", "nodejs"), "-p", "process.execPath"], check=True, capture_output=True, text=True
        )
        return [node.stdout.strip(), path]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        sys.stdout.write(self.output)  # for the report of a test that failed
