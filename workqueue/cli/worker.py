"""Make what servers on any host ask a cluster for, until SIGTERM; runs that are left then are given back.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, for each run of its name and version whose result belongs in STORAGE.
"""

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from workqueue.cli.health import answering
from workqueue.cli.limits import add_limits, limits_of
from workqueue.cli.naming import add_naming
from workqueue.cli.nats import add_cluster, tls_of
from workqueue.cli.place import CannotUseStorage, add_for_bucket, told_to_the_user
from workqueue.cli.program import command
from workqueue.errors import ProgramError
from workqueue.naming import name_of
from workqueue.parts import check_program
from workqueue.storage.address import storage_at
from workqueue.storage.base import Storage
from workqueue.system.notify import notify
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner

if TYPE_CHECKING:
    from workqueue.engines.cluster.worker import Worker

#: How long a server may take to answer at the start; a service's manager starts it again.
_CONNECT_SECONDS: Final = 5.0

#: Between two looks, whether it is up or told to stop.
_LOOK_SECONDS: Final = 0.2

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

SECRET: Final = "WORKQUEUE_SECRET"  # noqa: S105 - a variable's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("program", metavar="PROGRAM", type=command, help="a path, or a command in quotes, such as 'python3 build.py'")
    add("--storage", metavar="STORAGE", required=True, help="where results go: the one that the servers have")
    add_for_bucket(parser)
    add_cluster(parser)
    add_naming(parser)
    add("--max-running", metavar="N", type=_count, default=2, help="programs at once (default: %(default)s)")
    add("--max-running-per-tenant", metavar="N", type=_count, help="... of one tenant, in the whole cluster")
    add("--replicas", metavar="N", type=_count, default=1, help="servers that keep each record, if it comes first (1)")
    add("--lease", metavar="SECONDS", type=float, default=15.0, help="without a sign, runs are begun elsewhere (15)")
    add("--drain", metavar="SECONDS", type=float, default=0.0, help="what runs are given at the end (default: none)")
    add("--env", metavar="NAME", action="append", default=[], help="what servers may set of the program's environment")
    add_limits(parser)
    add("--health", metavar="PORT", type=int, help="answer GET there: 200, or 503 with what is wrong")
    parser.epilog = f"Tasks are opened with ${SECRET}: the secret of the servers' ClusterEngine; several with commas."


def run(options: argparse.Namespace) -> int:
    """Work; return the exit status."""
    with _own_signals() as stopping, _talkative(), contextlib.ExitStack() as stack:
        try:
            with told_to_the_user():
                worker = _worker(options)
        except (CannotUseStorage, ProgramError) as err:
            return _complain(str(err))
        try:
            if options.health is not None:
                stack.enter_context(answering(options.health, lambda: worker.member.trouble))
        except OSError as err:
            return _complain(f"cannot answer on port {options.health}: {err.strerror}")
        return _work(worker, options.drain, stopping)


def _work(worker: "Worker", drain: float, stopping: threading.Event) -> int:
    from workqueue.engines.cluster.loop import loop  # noqa: PLC0415 - needs an extra

    loop.start()
    serving = loop.do(worker.member.run())
    end = time.monotonic() + _CONNECT_SECONDS
    while not loop.do(worker.member.wait_until_up(_LOOK_SECONDS)).result() and not stopping.is_set():
        if worker.member.is_unusable or time.monotonic() > end:
            return _complain(f"cannot use the cluster: {worker.member.trouble or 'no server answers'}")
    notify("READY=1")
    _wait(stopping, serving)
    notify("STOPPING=1")
    loop.do(worker.stop(drain)).result()
    worker.engine.close(0.0)
    return 0


def _worker(options: argparse.Namespace) -> "Worker":
    """What the options say.

    Raises:
        ProgramError: there is no such program.
        ImportError, ValueError: for an option that cannot be.
    """
    try:
        from workqueue.engines.cluster.offer import Offer  # noqa: PLC0415
        from workqueue.engines.cluster.options import access_to, check_lease, check_name, secrets_of  # noqa: PLC0415
        from workqueue.engines.cluster.seal import Seal  # noqa: PLC0415
        from workqueue.engines.cluster.worker import Worker  # noqa: PLC0415
    except ModuleNotFoundError as err:
        raise ImportError("a worker needs the extra: pip install 'overview-plugin-workqueue[cluster]'") from err
    check_program(options.program, {}, inherit_env=True)
    check_lease(options.lease)
    return Worker(
        check_name(options.cluster),
        access_to(options.nats, options.credentials, tls_of(options)),
        replicas=options.replicas,
        lease=options.lease,
        worker=f"{socket.gethostname().replace('.', '_')}-{os.getpid()}-{uuid.uuid4().hex[:6]}",
        offer=Offer(
            options.program,
            _storage(options),
            name=options.name or name_of(options.program),
            version=options.version,
            seal=Seal(secrets_of(os.environ.get(SECRET))),
            allowed_env=options.env,
            limits=limits_of(options),
        ),
        max_running=options.max_running,
        max_running_per_tenant=options.max_running_per_tenant,
    )


def _storage(options: argparse.Namespace) -> Storage:
    storage = storage_at(options.storage, options.directory, endpoint=options.endpoint)
    check_owner(storage.directory, OWN_DIRECTORIES)
    storage.sweep()
    return storage


@contextlib.contextmanager
def _talkative() -> Iterator[None]:
    """What a service's log is for: which jobs have ended, and how."""
    logger = logging.getLogger("workqueue")
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _own_signals() -> Iterator[threading.Event]:
    """SIGTERM and SIGINT only set the event; a second one does what it always does.

    Whatever started this process may have them blocked; and SIGCHLD ignored, so that each program's exit status would
    be lost. It is set before anything else is done: the first process of a container does not even end of a SIGTERM
    that comes before it has a handler.
    """
    stopping = threading.Event()

    def handle(signum: int, _frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(signum, previous[signum])

    previous: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        yield stopping
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number in _SIGNALS:
            signal.signal(number, previous[number])


def _wait(stopping: threading.Event, serving: "Future[None]") -> None:
    """Until it is told to stop. In pieces: a signal just before a wait does not interrupt it."""
    while not stopping.wait(_LOOK_SECONDS) and not serving.done():
        pass


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of programs, 1 or more")
    return number


def _complain(text: str) -> int:
    print(f"workqueue: {text}", file=sys.stderr)
    return 2
