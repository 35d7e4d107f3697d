r"""Run the programs that web servers ask a cluster for, on this host, until SIGTERM or Ctrl-C.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME for each job of its name and version. When the worker stops, jobs that
still run after --drain are given back, and another worker runs them. What a program is given is encrypted: set the
environment variable WORKQUEUE_SECRET to the secret that the servers give their ClusterEngine; several are separated by
commas.

Examples:
  workqueue worker ./build.py --storage s3://my-bucket/indexes \
      --nats nats://queue.example
  workqueue worker ./build.py --storage s3://my-bucket/indexes \
      --nats nats://queue.example --max-running 4 --drain 60 --health 8080
"""

import argparse
import contextlib
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from workqueue.cli.exit_statuses import OK
from workqueue.cli.health import answering
from workqueue.cli.limits import add_limits, limits_of
from workqueue.cli.naming import add_naming
from workqueue.cli.nats import add_cluster, tls_of
from workqueue.cli.place import CannotUseStorage, add_for_bucket, refuse, storage_address, told_to_the_user
from workqueue.cli.program import command
from workqueue.cli.quantities import count, port
from workqueue.errors import ProgramError
from workqueue.naming import name_of
from workqueue.parts import check_program
from workqueue.storage.address import storage_at
from workqueue.storage.base import Storage
from workqueue.system.notify import notify
from workqueue.system.own_files import OWN_DIRECTORIES, check_owner

if TYPE_CHECKING:
    from workqueue.engines.cluster.worker import Worker

#: How long a server may take to answer at the start. After that the worker ends, and its service's manager starts it
#: anew.
_CONNECT_SECONDS: Final = 5.0

#: Seconds between two looks whether the worker is connected, and whether it was told to stop.
_LOOK_SECONDS: Final = 0.2

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

SECRET: Final = "WORKQUEUE_SECRET"  # noqa: S105 - a variable's name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("program", metavar="PROGRAM", type=command, help="a path, or a command in quotes, such as 'python3 build.py'")
    add(
        "--storage",
        metavar="STORAGE",
        type=storage_address,
        required=True,
        help="where results are kept: the same storage as the servers have",
    )
    add_for_bucket(parser)
    add_cluster(parser)
    add_naming(parser)
    add(
        "--max-running",
        metavar="N",
        type=count,
        default=2,
        help="how many programs run at once here (default: %(default)s)",
    )
    add(
        "--max-running-per-tenant",
        metavar="N",
        type=count,
        help="how many programs of one tenant run at once in the cluster",
    )
    add(
        "--replicas",
        metavar="N",
        type=count,
        default=1,
        help="how many NATS servers keep each record, if this worker sets up the cluster (default: %(default)s)",
    )
    add(
        "--lease",
        metavar="SECONDS",
        type=float,
        default=15.0,
        help="if the cluster hears nothing of this worker for so long, others run its jobs (default: %(default)g)",
    )
    add(
        "--drain",
        metavar="SECONDS",
        type=float,
        default=0.0,
        help="how long jobs may go on when the worker is told to stop (default: %(default)g)",
    )
    add(
        "--env",
        metavar="NAME",
        action="append",
        default=[],
        help="an environment variable of the program that servers may set; can be repeated",
    )
    add_limits(parser)
    add("--health", metavar="PORT", type=port, help="answer HTTP GET on this port: 200, or 503 and what is wrong")


def run(options: argparse.Namespace) -> int:
    """Work; return the exit status."""
    with _own_signals() as stopping, _talkative(), contextlib.ExitStack() as stack:
        try:
            with told_to_the_user():
                worker = _worker(options)
        except (CannotUseStorage, ProgramError) as err:
            return refuse(str(err))
        try:
            if options.health is not None:
                stack.enter_context(answering(options.health, lambda: worker.member.trouble))
        except OSError as err:
            return refuse(f"cannot use --health {options.health}: {err.strerror}; choose another port")
        return _work(worker, options.drain, stopping)


def _work(worker: "Worker", drain: float, stopping: threading.Event) -> int:
    from workqueue.engines.cluster.loop import loop  # noqa: PLC0415 - needs an extra

    loop.start()
    serving = loop.do(worker.member.run())
    end = time.monotonic() + _CONNECT_SECONDS
    while not loop.do(worker.member.wait_until_up(_LOOK_SECONDS)).result() and not stopping.is_set():
        if worker.member.is_unusable or time.monotonic() > end:
            return refuse(f"cannot use the cluster: {worker.member.trouble or 'no server answers'}")
    notify("READY=1")
    _wait(stopping, serving)
    notify("STOPPING=1")
    loop.do(worker.stop(drain)).result()
    worker.engine.close(0.0)
    return OK


def _worker(options: argparse.Namespace) -> "Worker":
    """The worker that the options describe.

    Raises:
        ProgramError: there is no such program.
        ImportError, ValueError: an option cannot be used.
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
    """Log what the log of a service is read for: which jobs have ended, and how."""
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

    The process that started this one may have blocked them. It may have ignored SIGCHLD, too, and then the exit status
    of each program would be lost. The handlers are set before anything else is done: a SIGTERM that reaches the first
    process of a container before it has a handler is lost.
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
    """Wait until it is told to stop. In short waits: a signal that comes just before a wait does not interrupt it."""
    while not stopping.wait(_LOOK_SECONDS) and not serving.done():
        pass
