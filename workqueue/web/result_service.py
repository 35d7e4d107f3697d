"""7 result_service: a request to /result -> the result, or why there is none."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from workqueue import Params, WorkQueue
from workqueue.web.fields import Fields, overview_params
from workqueue.web.message import Answer, Request
from workqueue.web.result_options import Place, ResultOptions, check_result_options
from workqueue.web.results import result_answer
from workqueue.web.service import Authorize, Service

#: Where the applications serve results, unless they are told.
DEFAULT_AT: Final = "/result"


class ResultService(Service):
    """See `Service`; the options are those of the applications.

    Args:
        at: the path, as in ``/result``; what is behind it is a file within a result that is a directory.
        generate: the URL where results are built; None: beside that path, at ``generate``.
    """

    _exposed = "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Retry-After"
    _sent = (
        "accept, authorization, content-type, if-match, if-modified-since, if-none-match, if-range,"
        " if-unmodified-since, range"
    )

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        authorize: Authorize | None = None,
        allow_origin: str | None = "*",
        at: str = DEFAULT_AT,
        options: ResultOptions,
    ) -> None:
        super().__init__(queue, authorize, params, allow_origin)
        check_result_options(queue, options)
        if not re.fullmatch(r"(/[^/?#]+)+", at):
            raise ValueError(f"result must be a path such as '/result'; got {at!r}")
        self._path = re.compile(rf"(.*?){re.escape(at)}(?:/(.*))?", re.DOTALL)
        self._options = options

    def is_at(self, request: Request) -> bool:
        """Whether the request is for a result."""
        return self._path.fullmatch(request.path) is not None

    def answer_without_job(self, request: Request) -> Answer | None:
        """See `Service`."""
        return self._check_method(request)

    def answer(self, request: Request, params: Params) -> Answer:
        """See `Service`."""
        answer = result_answer(self._queue, params, request, self._options, self._place(request))
        answer.headers.update(self._cors)
        return answer

    def _place(self, request: Request) -> Place:
        match = self._path.fullmatch(request.path)
        assert match is not None, "is_at has said so"
        before = request.root + match[1]
        generate = before if before.endswith("/generate") else f"{before}/generate"
        return Place(match[2] or "", quote(generate))


class MountedResultService(ResultService):
    """The same for an application of its own, which answers wherever it is mounted.

    Args:
        generate: the URL where results are built; None: that is not known.
    """

    def __init__(
        self,
        queue: WorkQueue,
        *,
        params: Callable[[Fields], Params] = overview_params,
        authorize: Authorize | None = None,
        allow_origin: str | None = "*",
        generate: str | None = None,
        options: ResultOptions,
    ) -> None:
        super().__init__(queue, params=params, authorize=authorize, allow_origin=allow_origin, options=options)
        self._generate = generate

    def _place(self, request: Request) -> Place:
        # Some frameworks strip the path where it is mounted, some do not.
        match = None if request.root.endswith(DEFAULT_AT) else self._path.fullmatch(request.path)
        path = request.path.strip("/") if match is None else match[2] or ""
        return Place(path, self._generate)
