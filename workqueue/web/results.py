"""7 results: a request for a result -> what to send, and the open file; all that the frameworks' responses share.

It has no thread and no loop. It looks into the storage, and may download from a bucket, so it may take a while. The
file is opened while the storage holds it, and is the body's from then on.
"""

import contextlib
import logging
import os
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from workqueue import InvalidParams, Params, ResultNotFound, StorageError, WorkQueue
from workqueue.system.descriptors import close_own
from workqueue.web.conditional import Validators, Verdict, evaluate, is_range_wanted
from workqueue.web.dates import http_date
from workqueue.web.disposition import content_disposition
from workqueue.web.file_body import FileBody
from workqueue.web.inside import open_inside, open_regular
from workqueue.web.message import Answer, Request
from workqueue.web.problem import RETRY_AFTER, Problem
from workqueue.web.ranges import Span, framed, length_of, parse_range
from workqueue.web.result_options import Place, ResultOptions, cache_control, check_result_options, media_type

if TYPE_CHECKING:  # an import of the applications goes without what only a queue needs
    from workqueue.storage.base import OpenResult, ResultInfo

logger = logging.getLogger("workqueue")

#: For how long a signed URL lets a download begin, in seconds: whoever gets hold of it has the result.
SIGNED_SECONDS: Final = 300

#: How often a result may be replaced while it is being opened.
_MAX_TRIES: Final = 10


def result_answer(queue: WorkQueue, params: Params, request: Request, options: ResultOptions, place: Place) -> Answer:
    """What to send, the refusals that a result's state is a reason for included. It raises none.

    Args:
        queue: whose result.
        params: which; checked.
        request: GET, HEAD or POST.
        options: checked.
        place: where in the result.
    """
    try:
        if options.get("redirect"):
            with contextlib.suppress(_CannotSignError):
                return _redirect(queue, params, request.method, place)
        return _answer(queue, params, request, options, place)
    except ResultNotFound:
        problem = missing(queue, params, place.generate)
    except (Problem, InvalidParams) as error:
        problem = Problem.of(error)
    except (StorageError, OSError) as error:
        # What it says is the operator's: it names directories.
        logger.error("cannot serve a result: %s", error, extra={"key": queue.key_for_params(params)})
        problem = Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the result cannot be had at the moment; try again later",
            {"Retry-After": str(RETRY_AFTER)},
        )
    return problem_answer(problem, request.method)


def respond(queue: WorkQueue, params: Params, request: Request, options: ResultOptions, generate: str | None) -> Answer:
    """`result_answer` for a view in a framework, whose options and parameters are not checked yet.

    Args:
        queue: whose result.
        params: which.
        request: its path is that of a file within the result.
        options: of the view.
        generate: where it is built.

    Raises:
        TypeError: for an option that does not go with the queue's storage.
        ValueError: for an option that makes no header.
    """
    check_result_options(queue, options)
    try:
        queue.check_params(params)
    except InvalidParams as error:
        return problem_answer(Problem.of(error), request.method)
    return result_answer(queue, params, request, options, Place(request.path, generate))


def problem_answer(problem: Problem, method: str = "GET") -> Answer:
    """A refusal as an answer; to HEAD without its body, though with the length of that."""
    body = problem.body()
    headers = {**problem.headers, "Content-Length": str(len(body))}
    return Answer(problem.status, headers, b"" if method == "HEAD" else body)


def missing(queue: WorkQueue, params: Params, generate: str | None) -> Problem:
    """Why there is no result, and what to do."""
    members: dict[str, object] = {} if generate is None else {"generate": generate}
    where = "it first" if generate is None else f"it with a POST of the same parameters to {generate}"
    if not queue.is_being_built(params):
        return Problem(HTTPStatus.NOT_FOUND, f"there is no such result; build {where}", members=members)
    watch = "" if generate is None else f", or watch it with a POST of the same parameters to {generate}"
    job = queue.live_job(params)
    if job is not None:
        members["progress"] = job.current_progress.as_dict()
    return Problem(
        HTTPStatus.CONFLICT,
        f"the result is being built; ask again in {RETRY_AFTER} seconds{watch}",
        {"Retry-After": str(RETRY_AFTER)},
        members=members,
    )


class _CannotSignError(Exception):
    """The bucket's credentials do not sign; the result is sent through this host's copy."""


def _redirect(queue: WorkQueue, params: Params, method: str, place: Place) -> Answer:
    """Conditions are the bucket's to evaluate: the client sends them there, too (RFC 9110, section 13.2.1)."""
    info = queue.result_info(params)
    if info is None:
        raise ResultNotFound
    if info.form == "directory":
        raise _CannotSignError  # one object holds all of its files
    if place.path:
        raise _no_such_file(is_directory=False)
    try:
        url = queue.signed_url(params, SIGNED_SECONDS, "HEAD" if method == "HEAD" else "GET")
    except StorageError as error:
        logger.warning("cannot redirect to the result, and send it: %s", error, extra={"key": info.key})
        raise _CannotSignError from error
    status = HTTPStatus.SEE_OTHER if method == "POST" else HTTPStatus.TEMPORARY_REDIRECT
    return Answer(status, {"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _answer(queue: WorkQueue, params: Params, request: Request, options: ResultOptions, place: Place) -> Answer:
    with contextlib.ExitStack() as stack:
        info, fd = _open(queue, params, place.path, stack)
        # Not later than the Date of the response (RFC 9110, section 8.8.2.1), though another host's clock may be.
        there = Validators(info.etag, min(info.published_at, time.time()))
        headers = {"ETag": f'"{there.etag}"', "Cache-Control": cache_control(options)}
        verdict = evaluate(request.method, request.headers, there)
        if verdict is Verdict.NOT_MODIFIED:
            return Answer(HTTPStatus.NOT_MODIFIED, headers)
        if verdict is Verdict.FAILED:
            raise Problem(HTTPStatus.PRECONDITION_FAILED, "the result is another version than the request names")
        headers |= _described(queue, params, options, place.path)
        headers["Last-Modified"] = http_date(there.modified_at)
        size = os.fstat(fd).st_size
        status, pieces = _parts(request, size, there, headers)
        headers["Content-Length"] = str(length_of(pieces))
        body = b"" if request.method == "HEAD" else FileBody(fd, pieces, size, stack.pop_all().close)
        return Answer(status, headers, body)


def _open(queue: WorkQueue, params: Params, path: str, stack: contextlib.ExitStack) -> tuple["ResultInfo", int]:
    """Have a file of the result open, and the result held, until the stack is closed."""
    for _ in range(_MAX_TRIES):
        with contextlib.ExitStack() as attempt:
            opened = attempt.enter_context(queue.open_with_info(params))
            fd = _file_of(opened, path)
            if fd is not None:
                attempt.callback(close_own, fd)
            # What is held stays, but before we opened it its name may have become the next one's, or nobody's.
            now = queue.result_info(params)
            if now is None or now.etag != opened.info.etag:
                continue
            if fd is not None:
                stack.push(attempt.pop_all())
                return opened.info, fd
            if opened.info.form == "directory":
                raise _no_such_file(is_directory=True)
    raise StorageError("Cannot open the result: it is replaced again and again, or is no regular file")


def _file_of(opened: "OpenResult", path: str) -> int | None:
    """The descriptor of a file of the result; None: there is no such file."""
    is_directory = opened.info.form == "directory"
    if is_directory != bool(path):
        raise _no_such_file(is_directory=is_directory)
    try:
        return open_inside(opened.path, path) if is_directory else open_regular(opened.path)
    except FileNotFoundError:
        return None


def _no_such_file(*, is_directory: bool) -> Problem:
    what = "the result is a directory; ask for a file within it" if is_directory else "the result is a single file"
    return Problem(HTTPStatus.NOT_FOUND, f"there is no such file; {what}")


def _described(queue: WorkQueue, params: Params, options: ResultOptions, path: str) -> dict[str, str]:
    headers = {
        "Content-Type": media_type(queue, options, path),
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        # Compressing middleware (Django's, Starlette's, Flask-Compress) packs parts of files, too, which then are none.
        "Content-Encoding": "identity",
    }
    name = options.get("download_name")
    if name is not None:
        text = name if isinstance(name, str) else name(params)
        headers["Content-Disposition"] = content_disposition(text, inline=options.get("inline", False))
    return headers


def _parts(
    request: Request, size: int, there: Validators, headers: dict[str, str]
) -> tuple[HTTPStatus, list[bytes | Span]]:
    """What to send of the file, and the headers that say so."""
    whole: list[bytes | Span] = [Span(0, size)]
    spans = None
    if is_range_wanted(request.method, request.headers, there):
        spans = parse_range(request.headers["range"], size)
    if spans is None:
        return HTTPStatus.OK, whole
    if not spans:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the result has {size} bytes, and none of those that the request names",
            {"Content-Range": f"bytes */{size}"},
        )
    if len(spans) == 1:
        headers["Content-Range"] = spans[0].content_range(size)
        return HTTPStatus.PARTIAL_CONTENT, list(spans)
    boundary = secrets.token_hex(16)
    pieces = framed(spans, size, headers["Content-Type"], boundary)
    if length_of(pieces) >= size:  # there is no use in it
        return HTTPStatus.OK, whole
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return HTTPStatus.PARTIAL_CONTENT, pieces
