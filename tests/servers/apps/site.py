"""What all the applications have in common: a queue, whose requests name the program; and a look at its streams.

A request says in its query what to do:

=================  ==================================================================================
program, job       the parameters: the program to run, and a name, so that one program may run twice
heartbeat          see `ProgressStream`; ``none``: never
max_duration       likewise
client             a name by which `stats` tells what became of this request's stream
without            headers that the response shall lack, to see what they are good for
=================  ==================================================================================
"""

import os
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from workqueue import Job, Params, WorkQueue

LAUNCHER = Path("launcher").absolute()
# Renamed into its place: each worker makes it, and another may be about to run it, which the kernel refuses for a file
# that is open for writing.
_MADE = LAUNCHER.with_name(f"launcher.{os.getpid()}")
_MADE.write_text('#!/bin/sh\nexec "$1" "$@"\n')
_MADE.chmod(0o755)
_MADE.replace(LAUNCHER)


class Asked(NamedTuple):
    program: str
    job: str


def where_it_runs() -> dict[str, Any]:
    """In this process, or in a cluster, whose server and name are in the environment."""
    url, _, cluster = os.environ.get("WORKQUEUE_TEST_CLUSTER", "").partition(" ")
    if not url:
        return {"max_running": int(os.environ.get("MAX_RUNNING", "50"))}
    from workqueue.engines.cluster import ClusterEngine

    return {"engine": ClusterEngine(url, cluster)}


class Queue(WorkQueue):
    """Remembers its jobs."""

    def __init__(self) -> None:
        super().__init__(LAUNCHER, storage_dir="storage", **where_it_runs())
        self.jobs: dict[Params, Job] = {}

    def ensure_run(self, params: Params) -> Job | None:
        job = super().ensure_run(params)
        if job is not None:
            self.jobs[params] = job
        return job


queue = Queue()


def asked(fields: MutableMapping[str, str]) -> Asked:
    return Asked(fields["program"], fields["job"])


def fields(query: str) -> dict[str, str]:
    return dict(parse_qsl(query))


def job_of(query: str) -> Job | None:
    return queue.ensure_run(asked(fields(query)))


def options(query: str) -> dict[str, float | None]:
    """The options of a stream."""
    given = fields(query)
    return {
        name: None if given[name] == "none" else float(given[name])
        for name in ("heartbeat", "max_duration")
        if name in given
    }


class Stream:
    """What became of one response."""

    n_pieces = 0
    is_open = True


streams: dict[tuple[str, str], Stream] = {}


def stream_of(query: str) -> Stream | None:
    """The request's, if it has a name."""
    given = fields(query)
    return streams.setdefault((given["program"], given["client"]), Stream()) if "client" in given else None


def stats(query: str) -> dict[str, Any]:
    """What an outsider cannot see: how many observers the job has, how many pieces each client's stream had."""
    params = asked(fields(query))
    job = queue.jobs.get(params)
    return {
        "n_watchers": 0 if job is None else job.n_watchers,
        "streams": {
            client: (stream.n_pieces, stream.is_open)
            for (program, client), stream in streams.items()
            if program == params.program
        },
    }


class CountedWSGI:
    """A WSGI application whose streams are counted."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = self._app(environ, start_response)
        stream = stream_of(environ["QUERY_STRING"])
        return body if stream is None else self._count(body, stream)

    def _count(self, body: Any, stream: Stream) -> Iterator[bytes]:
        try:
            for piece in body:
                stream.n_pieces += 1
                yield piece
        finally:
            body.close()
            stream.is_open = False


class CountedASGI:
    """An ASGI application whose streams are counted."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        stream = stream_of(scope.get("query_string", b"").decode())
        if stream is None:
            await self._app(scope, receive, send)
            return

        async def counting(message: dict[str, Any]) -> None:
            stream.n_pieces += bool(message.get("body"))
            await send(message)

        try:
            await self._app(scope, receive, counting)
        finally:
            stream.is_open = False
