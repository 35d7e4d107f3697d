"""The public interface as a type checker sees it; this file is only checked, never run."""

import json
from collections.abc import AsyncIterator, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple, assert_type
from wsgiref.types import WSGIApplication

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from fastapi import FastAPI
from reactivex import Observable
from reactivex import operators as ops
from reactivex.abc import DisposableBase
from reactivex.subject import ReplaySubject
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.types import ASGIApp
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from workqueue import (
    BuildFailed,
    Hooks,
    InvalidParams,
    Job,
    JobSnapshot,
    Limits,
    OverviewViewParams,
    Params,
    Progress,
    ProgressDict,
    QueueClosed,
    QueueFull,
    State,
    Statistics,
    WorkQueue,
    WorkQueueError,
)
from workqueue import Nonsense as _Nonsense  # type: ignore[attr-defined]  # noqa: F401 - a wrong name is found out
from workqueue.builder import arguments, claim_stdout, fail, part, tqdm, track, trange
from workqueue.builder import progress as print_progress
from workqueue.engines import SeenEnd, SeenRun
from workqueue.monitoring.opentelemetry import TracingHooks
from workqueue.monitoring.prometheus import WorkQueueCollector
from workqueue.storage import DiskStorage, OpenResult, Origin, ResultInfo, Storage, StoredResult
from workqueue.storage.objects import ObjectStorage
from workqueue.streams import AsyncReader, ProgressSubject, to_async_iter, to_callback, to_generator
from workqueue.web import (
    BROWSER_MODULE,
    Fields,
    OverviewTokenCheck,
    Problem,
    ProgressStream,
    Request,
    ResultOptions,
    asgi,
    django,
    flask,
    overview_params,
    parse_fields,
    problem_schema,
    progress_array_schema,
    progress_responses,
    progress_schema,
    starlette,
    wsgi,
)
from workqueue.web.encodings import ENCODINGS, Encoding, encoding_for


class OtherParams(NamedTuple):
    """Any tuple of strings is asked for in the same way."""

    first: str
    second: str


def a_queue_is_made_in_each_documented_way() -> None:
    WorkQueue("./program", ThreadPoolExecutor(2), "databases")
    WorkQueue(program_path=Path("program"), executor=ThreadPoolExecutor(2), storage_dir=Path("databases"))
    WorkQueue("./program", storage_dir="databases", max_running=4, allowed_servers=["https://host"], max_pending=100)
    with WorkQueue("./program", storage_dir="databases") as queue:
        assert_type(queue, WorkQueue)
        assert_type(queue.program_path, Path)
        assert_type(queue.storage_dir, Path)
        queue.close()
        queue.close(drain=5.0)
        queue.close(pending="finish")
        queue.handle_signals()
        queue.handle_signals(drain=5.0)
    WorkQueue(
        "./program",
        storage_dir="databases",
        name="docsets",
        version="3",
        key=lambda params: params[:2],
        refresh_after=60,
    )
    WorkQueue("./program", storage_dir="databases", key=lambda params: params[0])  # type: ignore[arg-type,return-value]
    WorkQueue("./program", storage=DiskStorage("databases", ttl=3600, max_bytes=1 << 30))
    WorkQueue(
        "./program", storage=ObjectStorage("s3://bucket/prefix", Path("cache"), config={"region": "eu"}, ttl=60.0)
    )
    WorkQueue(
        "./program",
        storage_dir="databases",
        tenant=lambda params: params[0],
        max_running_per_tenant=1,
        time_limit=60,
        limits=Limits(memory=1 << 30, cpu=60, file_size=1 << 30, niceness=10),
        failure_ttl=60.0,
        token_in="env",
    )


def a_storage_is_looked_at(storage: Storage) -> None:
    assert_type(storage.directory, Path)
    assert_type(storage.address("key"), str)
    assert_type(storage.has("key"), bool)
    assert_type(storage.delete("key"), bool)
    assert_type(storage.evict(), list[StoredResult])
    assert_type([result.size for result in storage.results()], list[int])
    with storage.workspace("key") as workspace, storage.open("key") as path:
        assert_type(workspace.output, Path)
        assert_type(path, Path)
        workspace.publish(Origin("program", message="done"))
    with storage.workspace("key", form="directory"), storage.open_with_info("key") as opened:
        assert_type(opened, OpenResult)
    assert_type(storage.info("key"), ResultInfo | None)


def a_queue_is_asked(queue: WorkQueue) -> None:
    params: Params = OverviewViewParams("https://host", "1", "token")
    assert_type(queue.ensure_run(params), Job | None)
    assert_type(queue.ensure_run(OtherParams("a", "b")), Job | None)
    assert_type(queue.ensure_run(("a", "b", "c")), Job | None)
    assert_type(queue.destination_path_for_params(params), Path)
    assert_type(queue.ensure_run(params, refresh=True), Job | None)
    assert_type(queue.jobs(), list[JobSnapshot])
    assert_type(queue.jobs(everywhere=True), list[SeenRun])
    assert_type(queue.ends(), list[SeenEnd])
    assert_type(queue.statistics(), Statistics)
    assert_type(queue.statistics(everywhere=True), Statistics)
    queue.check_params(params)
    with queue.open_result(params) as path:
        assert_type(path, Path)
    with queue.open_with_info(params) as (path, info):
        assert_type(path, Path)
        assert_type(info, ResultInfo)
        assert_type((info.etag, info.size, info.published_at), tuple[str, int, float])
        assert_type(info.form, Literal["file", "directory"])
    assert_type(queue.result_info(params), ResultInfo | None)
    assert_type(queue.delete(params), bool)
    try:
        job = queue.ensure_run(params)
    except (InvalidParams, QueueFull, QueueClosed) as error:
        assert_type(error, InvalidParams | QueueFull | QueueClosed)
    else:
        if job is not None:
            assert_type(queue.report_job_progress_until_completed(job), Generator[Progress, None, None])


def a_job_is_looked_at(job: Job) -> None:
    assert_type(job.params, tuple[str, ...])
    assert_type(job.key, str)
    assert_type(job.state, State)
    assert_type(job.progress, ReplaySubject[Progress])
    assert_type(job.current_progress, Progress)
    assert_type(job.eta, float | None)
    assert_type(job.estimated(Progress()), Progress)
    assert_type(job.wait(), Progress)
    assert_type(job.wait(timeout=1.5), Progress)
    assert_type(job.cancel(), bool)
    assert_type(job.snapshot(), JobSnapshot)
    assert_type(job.snapshot().run_seconds, float)
    assert_type(job.snapshot().eta, float | None)


async def a_build_is_waited_for(queue: WorkQueue, job: Job) -> None:
    assert_type(queue.watch(("a",)), ReplaySubject[Progress])
    assert_type(to_generator(queue.watch(("a",))), Generator[Progress, None, None])
    try:
        assert_type(queue.build(("a",), timeout=1.5), Progress)
        assert_type(await queue.build_async(("a",)), Progress)
    except BuildFailed as error:
        assert_type(error.progress, Progress)
    assert_type(await job, Progress)
    assert_type(await job.progress, Progress)


def progress_has_fields(progress: Progress) -> None:
    assert_type(progress.n_ahead_in_queue, int)
    assert_type(progress.fraction, float)
    assert_type(progress.message, str | None)
    assert_type(progress.returncode, int | None)
    assert_type(progress.error, str | None)
    assert_type(progress._asdict(), dict[str, Any])
    assert_type(progress.as_dict(), ProgressDict)
    assert_type(progress.eta, float | None)
    assert_type(progress.with_eta(2.5), Progress)
    assert_type(progress._replace(message="other"), Progress)


def an_event_is_decoded(line: str) -> None:
    event: ProgressDict = json.loads(line)
    assert_type(event["n_ahead_in_queue"], int)
    assert_type(event["fraction"], float)
    assert_type(event["message"], str | None)
    assert_type(event["returncode"], int | None)
    assert_type(event["error"], str | None)
    assert_type(event.get("eta"), float | None)
    event["percent"]  # type: ignore[typeddict-item]  # a wrong name is found out
    assert_type(Progress(**event), Progress)


def an_endpoint_is_documented(app: FastAPI) -> None:
    assert_type(progress_schema(), dict[str, Any])
    assert_type(progress_array_schema(), dict[str, Any])
    assert_type(problem_schema(), dict[str, Any])
    responses = progress_responses()
    assert_type(responses, dict[int | str, dict[str, Any]])
    responses[403] = {"description": "You may not."}
    app.get("/generate", responses=responses)
    app.post("/generate", responses={**progress_responses(), "default": {"description": "Something else."}})


def a_stream_is_read_in_a_thread(job: Job) -> None:
    assert_type(to_generator(job.progress), Generator[Progress, None, None])
    assert_type(to_generator(job.progress, heartbeat=None, buffer=2), Generator[Progress, None, None])
    for progress in to_generator(job.progress):
        assert_type(progress, Progress)


async def a_stream_is_read_on_a_loop(job: Job) -> None:
    reader = to_async_iter(job.progress, heartbeat=2.5, buffer=2)
    assert_type(reader, AsyncReader[Progress])
    iterator: AsyncIterator[Progress] = reader
    assert_type(await anext(iterator), Progress)
    async with reader as entered:
        assert_type(entered, AsyncReader[Progress])
        async for progress in entered:
            assert_type(progress, Progress)
    await reader.aclose()


def a_stream_is_pushed(job: Job) -> None:
    def send(progress: Progress) -> None: ...

    async def send_async(progress: Progress) -> bool:
        return progress.returncode is None

    def on_error(error: Exception) -> None: ...

    def on_completed() -> None: ...

    assert_type(to_callback(job.progress, send), DisposableBase)
    assert_type(to_callback(job.progress, send_async, on_error, on_completed), DisposableBase)
    assert_type(to_callback(job.progress, lambda p: p.fraction, heartbeat=None, buffer=2), DisposableBase)
    to_callback(job.progress, send, on_error=on_error, on_completed=on_completed).dispose()


def a_stream_composes(job: Job) -> None:
    def is_end(progress: Progress) -> bool:
        return progress.returncode is not None

    def fraction(progress: Progress) -> float:
        return progress.fraction

    assert_type(job.progress.map(fraction), Observable[float])
    assert_type(job.progress.pipe(ops.filter(is_end)), Observable[Progress])
    assert_type(job.progress.pipe(ops.map(fraction)), Observable[float])
    assert_type(to_generator(job.progress.map(fraction)), Generator[float, None, None])
    assert_type(to_async_iter(job.progress.map(fraction)), AsyncReader[float])
    assert_type(job.progress.subscribe(lambda progress: None), DisposableBase)


def a_writer_of_a_stream_makes_its_own() -> None:
    subject: ProgressSubject[int] = ProgressSubject(history=10, on_subscribe=lambda: None)
    subject.on_next(1)
    subject.on_completed()
    assert_type(subject.n_observers, int)
    assert_type(to_generator(subject), Generator[int, None, None])


def an_app_is_made_in_each_documented_way(queue: WorkQueue) -> None:
    def params(fields: Fields) -> tuple[str, str]:
        return fields["a"], fields.get("b", "default")

    async def authorize(params: Params) -> None:
        raise Problem(403, f"not {params[0]}")

    async def is_operator(request: Request) -> bool:
        return bool(request.headers)

    wsgi_app: WSGIApplication = wsgi.GenerateApp(queue)
    wsgi.GenerateApp(queue, params=params, authorize=lambda params: params[0] == "a", allow_origin=None)
    wsgi.GenerateApp(queue, params=overview_params, authorize=OverviewTokenCheck(ttl=60.0, timeout=5.0))
    asgi_app: ASGIApp = asgi.GenerateApp(queue, authorize=authorize, heartbeat=5.0, max_duration=None)
    options: ResultOptions = {"media_type": "video/mp4", "download_name": lambda params: params[0]}
    wsgi_app = wsgi.GenerateApp(queue, result="/result", result_options=options)
    asgi_app = asgi.GenerateApp(queue, result="/result")
    wsgi_app = wsgi.DashboardApp(queue, authorize_operator=lambda request: request.headers.get("x") == "y")
    asgi_app = asgi.DashboardApp(queue, authorize_operator=is_operator, title="Sets")
    wsgi.DashboardApp(queue)  # type: ignore[call-arg]
    wsgi.DashboardApp(queue, authorize_operator=is_operator)  # type: ignore[arg-type]
    assert_type(queue.cancel("key"), bool)
    wsgi_app = wsgi.ResultApp(queue, params=params, authorize=OverviewTokenCheck(), generate="/generate", **options)
    asgi_app = asgi.ResultApp(queue, authorize=authorize, cache_control="no-store", inline=True, redirect=True)
    wsgi.ResultApp(queue, mediatype="video/mp4")  # type: ignore[call-arg]
    del wsgi_app, asgi_app


class Percents(Encoding):
    """A form of one's own."""

    media_type = "text/plain"
    content_type = "text/plain; charset=utf-8"

    def encode(self, progress: Progress) -> bytes:
        """See `Encoding`."""
        return b"%d %%\n" % (progress.fraction * 100)


def a_response_is_composed(
    queue: WorkQueue,
    job: Job | None,
    request: WerkzeugRequest,
    django_request: HttpRequest,
    starlette_request: StarletteRequest,
) -> None:
    def events(progress: Observable[Progress]) -> Observable[Progress]:
        return progress.pipe(ops.distinct_until_changed())

    encodings: Sequence[type[Encoding]] = (*ENCODINGS, Percents)
    wsgi.GenerateApp(queue, events=events, encodings=(*ENCODINGS, Percents))
    asgi.GenerateApp(queue, events=lambda progress: progress.pipe(ops.take_last(1)), encodings=[Percents])
    flask.progress_response(job, request, events=events, encodings=encodings)
    django.progress_response(job, django_request, events=events, encodings=encodings)
    starlette.progress_response(job, starlette_request, events=events, encodings=encodings)
    ProgressStream(job, events=events, encodings=encodings)
    assert_type(encoding_for("text/plain", encodings), type[Encoding])


def a_view_reads_its_request_and_refuses_it(queue: WorkQueue, request: WerkzeugRequest) -> None:
    query, authorization = request.query_string.decode("latin-1"), request.headers.get("Authorization", "")
    assert_type(parse_fields(query, "application/json", b"{}", authorization), Fields)
    fields = parse_fields(authorization=authorization)
    try:
        assert_type(overview_params(fields), OverviewViewParams)
    except WorkQueueError as error:
        problem = Problem.of(error)
        assert_type(problem, Problem)
        assert_type(problem.body(), bytes)
        assert_type(problem.headers, dict[str, str])
        response: WerkzeugResponse = WerkzeugResponse(problem.body(), problem.status, problem.headers)
        del response


def a_view_responds(job: Job | None, request: WerkzeugRequest) -> None:
    assert_type(flask.progress_response(job, request), WerkzeugResponse)


def a_view_sends_a_result(
    queue: WorkQueue, request: WerkzeugRequest, django_request: HttpRequest, starlette_request: StarletteRequest
) -> None:
    assert_type(flask.result_response(queue, ("a",), request, media_type="text/csv"), WerkzeugResponse)
    assert_type(django.result_response(queue, ("a",), django_request, download_name="a.csv"), HttpResponseBase)
    assert_type(
        starlette.result_response(queue, ("a",), starlette_request, path="index.html", generate="/generate"),
        StarletteResponse,
    )
    assert_type(queue.signs_urls, bool)
    assert_type(queue.signed_url(("a",), 60, "HEAD"), str)
    assert_type(queue.live_job(("a",)), Job | None)
    assert_type(queue.suffix, str)


def an_endpoint_responds(job: Job | None, request: StarletteRequest) -> StarletteResponse:
    return starlette.progress_response(job, request, heartbeat=None, max_duration=30.0)


def a_django_view_responds(job: Job | None, request: HttpRequest) -> None:
    assert_type(django.progress_response(job, request), HttpResponseBase)


def any_other_framework_responds(job: Job | None) -> None:
    stream = ProgressStream(job, "text/event-stream", heartbeat=5.0, max_duration=None)
    assert_type(stream.headers, dict[str, str])
    assert_type(stream.to_generator(), Generator[bytes, None, None])
    assert_type(stream.to_async_iter(), AsyncIterator[bytes])
    assert_type(BROWSER_MODULE, Path)


class Told(Hooks):
    """Overrides one of four."""

    def ended(self, job: JobSnapshot) -> None:
        """Look at its times."""
        assert_type(job.queued_at, float)


def watching_a_queue(path: Path) -> None:
    """Hooks, and what monitors are given."""
    queue = WorkQueue(path, storage_dir=path, hooks=[Told(), TracingHooks()], abandon_after=60)
    WorkQueueCollector({"builds": queue})


def a_program_in_python(items: list[bytes]) -> None:
    """What the author of a program writes."""
    claim_stdout()
    *fields, output = arguments("server", "document_set_id", "api_token")
    assert_type(fields, list[str])
    assert_type(output, str)
    with part(0.5, "Reading"):
        for item in track(items, "Reading {n} of {total}", total=3):
            assert_type(item, bytes)
    for piece in tqdm(items, "Writing", total=3, unit="B", unit_scale=True, leave=False):
        assert_type(piece, bytes)
    for i in trange(1, 10, desc="Checking"):
        assert_type(i, int)
    with tqdm[bytes](total=3) as bar:
        bar.update(1)
        bar.set_postfix(loss=0.1)
    print_progress(0.5)
    print_progress(1, "done")
    if not items:
        fail("nothing to read", retry_later=True)
    assert_type(items, list[bytes])
