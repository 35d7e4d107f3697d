"""7 result_options: how results are served, and what of it can never work; pure."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, NamedTuple, TypedDict

from workqueue import Params, WorkQueue
from workqueue.web.media_type import media_type_of
from workqueue.web.problem import Problem

#: A result is a private document: it is asked for again each time, which costs a 304.
DEFAULT_CACHE_CONTROL: Final = "private, no-cache"


class ResultOptions(TypedDict, total=False):
    """How results are served; each may be left out."""

    media_type: str
    """The Content-Type. Otherwise what the queue's `suffix` says, or application/octet-stream; of a file within a
    directory, what its name says."""

    download_name: str | Callable[[Params], str]
    """The name under which a browser saves it. What would be unsafe in a file's name is taken out."""

    inline: bool
    """Whether a browser may show it and only offers that name; False by default."""

    cache_control: str
    """The Cache-Control; "private, no-cache" by default."""

    redirect: bool
    """Whether to send clients to the bucket, with a URL that is signed for five minutes, instead of sending what this
    host has a copy of; False by default. The media type and the name are then what the bucket says."""


class Place(NamedTuple):
    """Where a request is for a result."""

    path: str = ""
    """Of a file within it, if it is a directory; empty: the result is a file."""

    generate: str | None = None
    """The URL to build it at, as far as that is known."""


def check_result_options(queue: WorkQueue, options: ResultOptions) -> None:
    """Refuse what can never work.

    Raises:
        TypeError: for an option that there is not, and for `redirect` from a storage that signs no URLs.
        ValueError: for a header that cannot be sent.
    """
    known = ResultOptions.__annotations__
    if unknown := options.keys() - known.keys():
        raise TypeError(f"there is no option {min(unknown)} of results; there are {', '.join(known)}")
    headers = {"Content-Type": media_type(queue, options), "Cache-Control": cache_control(options)}
    Problem(HTTPStatus.BAD_REQUEST, "", headers)  # which refuses what is no header
    if options.get("redirect") and not queue.signs_urls:
        raise TypeError("redirect=True needs results in a bucket: give the queue an ObjectStorage, or leave it out")


def media_type(queue: WorkQueue, options: ResultOptions, path: str = "") -> str:
    """What to call it."""
    return options.get("media_type") or media_type_of(path.rpartition("/")[2] if path else queue.suffix)


def cache_control(options: ResultOptions) -> str:
    """Who may keep it."""
    return options.get("cache_control", DEFAULT_CACHE_CONTROL)
