"""Everything the demo needs, started together and cleared away at the end."""

import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flask import Flask, Response

from workqueue import OverviewViewParams, WorkQueue
from workqueue.demo.documents import DocumentSet
from workqueue.demo.home import SLOTS, Home, create_home, show_query
from workqueue.demo.library import Library
from workqueue.demo.overview_api import STREAM_BATCH, create_overview_api
from workqueue.demo.plugin import create_plugin
from workqueue.demo.programs import Programs
from workqueue.demo.server import listen, serving, url_of
from workqueue.demo.texts import Text
from workqueue.storage import DiskStorage, Storage

if TYPE_CHECKING:  # it needs an extra more
    from workqueue.demo.cluster.cluster import Cluster

PROGRAM: Final = Path(__file__).with_name("process-docset.py")

#: Where indexes are kept, in the private directory.
DATABASES: Final = "databases"

#: The stand-in's document set. Overview numbers its own from 1; this one is easy to recognize.
_SET_ID: Final = 42


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that runs."""

    plugin_url: str
    params: OverviewViewParams
    """Of its document set, the first if there are several."""

    has_home: bool = False
    """Whether there is a page at `/`."""

    def show_url(self) -> str:
        """What Overview would put into its frame."""
        return f"{self.plugin_url}/show?{urlencode(show_query(self.params))}"


@contextmanager
def open_stage(
    overview: Callable[[ExitStack], OverviewViewParams],
    listener: socket.socket,
    storage: Callable[[Path], Storage] = DiskStorage,
    cluster: "Callable[[Path, Path], AbstractContextManager[Cluster]] | None" = None,
) -> Iterator[Stage]:
    """Start the plugin, and Overview if need be; stop them, and remove what is temporary, at the end.

    Args:
        overview: `real_overview()` or `stand_in()`.
        listener: where the plugin listens.
        storage: from a private directory, which is removed at the end, to where finished indexes are kept.
        cluster: starts one that runs the program, the first argument, and keeps all it has in that directory, the
            second; None: programs run in this process.
    """
    with ExitStack() as stack:
        scratch = _scratch(stack, listener)
        kept = storage(scratch / DATABASES)
        params = overview(stack)
        program = runnable(PROGRAM, scratch)
        # Unwound from the last to the first: the server stops taking requests, the queue ends every stream, and then
        # the cluster's processes end.
        if cluster is None:
            app = create_plugin(stack.enter_context(WorkQueue(program, storage=kept)))
        else:
            nodes = stack.enter_context(cluster(program, scratch))
            queue = stack.enter_context(WorkQueue(program, storage=kept, engine=nodes.engine))
            app = _with_control(create_plugin(queue, page="cluster.html"), nodes, queue, params, listener)
        app.add_url_rule("/", "nothing", _nothing_here)
        yield Stage(stack.enter_context(serving(app, listener)), params)


@contextmanager
def open_library(
    library: Library, listener: socket.socket, storage: Callable[[Path], Storage] = DiskStorage
) -> Iterator[Stage]:
    """The same for several document sets of a stand-in's, which a page at `/` shows. Their texts are for everybody.

    Args:
        library: the sets.
        listener: where the plugin listens.
        storage: see `open_stage`.
    """
    with ExitStack() as stack:
        scratch = _scratch(stack, listener)
        kept = storage(scratch / DATABASES)
        (scratch / "programs").mkdir()
        programs = Programs(scratch / "programs")
        sets = library.shelved(stack.enter_context(serving(library.app(), listen("127.0.0.1", 0))))
        params = sets[0].params
        command = programs.command(runnable(PROGRAM, scratch))
        queue = stack.enter_context(
            WorkQueue(command, storage=kept, max_running=SLOTS, allowed_servers=[params.server], name=PROGRAM.name)
        )
        app = create_plugin(queue)
        app.register_blueprint(create_home(Home(library, sets, programs), queue, _origins(listener)))
        yield Stage(stack.enter_context(serving(app, listener)), params, has_home=True)


def real_overview(params: OverviewViewParams) -> Callable[[ExitStack], OverviewViewParams]:
    """Overview itself, wherever it is."""
    return lambda _: params


def stand_in(texts: list[Text], delay: float | None, seconds: float) -> Callable[[ExitStack], OverviewViewParams]:
    """The stand-in for Overview, on a free port of this machine, with a token of its own.

    Args:
        texts: its documents.
        delay: seconds before each batch of documents; None: so many that the whole stream takes `seconds`.
        seconds: see `delay`.
    """

    def start(stack: ExitStack) -> OverviewViewParams:
        token = secrets.token_hex(12)
        batches = max(1, len(texts) // STREAM_BATCH)
        pace = seconds / batches if delay is None else delay
        app = create_overview_api(DocumentSet.from_texts(_SET_ID, texts), token, delay=pace)
        server = stack.enter_context(serving(app, listen("127.0.0.1", 0)))
        return OverviewViewParams(server, str(_SET_ID), token)

    return start


def runnable(program: Path, scratch: Path) -> Path:
    """The program itself, or a copy that may be executed: some ways to install a package drop the mode."""
    if os.access(program, os.X_OK):
        return program
    copy = scratch / program.name
    shutil.copyfile(program, copy)
    copy.chmod(0o700)
    return copy


def _scratch(stack: ExitStack, listener: socket.socket) -> Path:
    """A private directory, and the environment in which programs run; for as long as the stack lasts."""
    stack.callback(listener.close)
    scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workqueue-demo-")))
    stack.enter_context(_our_python_first())
    return scratch


def _nothing_here() -> Response:
    """What `/` is where a page there would have to give somebody's token to everybody."""
    text = "The address of the demo's page has a token in it: open the address that the demo has printed.\n"
    return Response(text, HTTPStatus.NOT_FOUND, content_type="text/plain; charset=utf-8")


def _origins(listener: socket.socket) -> set[str]:
    """Where this machine's browsers find what listens there."""
    host, port = listener.getsockname()[:2]
    return {url_of(host, port), url_of("localhost", port)}


def _with_control(
    app: Flask, cluster: "Cluster", queue: WorkQueue, params: OverviewViewParams, listener: socket.socket
) -> Flask:
    from workqueue.demo.cluster.control import create_control  # noqa: PLC0415 - needs an extra more

    app.register_blueprint(create_control(cluster, queue, params, _origins(listener)))
    return app


@contextmanager
def _our_python_first() -> Iterator[None]:
    """Let `env python3`, in the program's first line, find the Python that has ijson: this one."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before
