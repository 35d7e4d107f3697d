"""7 django configuration: the setting ``WORKQUEUE`` -> a queue, and the service in front of it.

::

    WORKQUEUE = {
        "PROGRAM": BASE_DIR / "process-docset.py",    # and
        "OPTIONS": {"storage_dir": BASE_DIR / "databases"},    # what `WorkQueue` takes; or
        "QUEUE": "mysite.reports.queue",    # a queue of your own
        "PARAMS": "mysite.reports.params",    # Fields -> parameters; by default those of Overview
        "AUTHORIZE": "mysite.reports.may_read",    # called with the request and the parameters; by default all may
        "HEARTBEAT": 10, "MAX_DURATION": 45,    # see `ProgressStream`
        "ALLOW_ORIGIN": None,    # whose pages, beside this site's, may read the answers
        "RESULT_OPTIONS": {},    # see `ResultOptions`
    }
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from workqueue import WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.fields import overview_params
from workqueue.web.generate_service import GenerateService
from workqueue.web.result_options import ResultOptions, check_result_options
from workqueue.web.service import check_origin, is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION, check_stream_options

NAME: Final = "WORKQUEUE"

#: What the setting may hold.
KEYS: Final = frozenset(
    {
        "PROGRAM",
        "OPTIONS",
        "QUEUE",
        "PARAMS",
        "AUTHORIZE",
        "HEARTBEAT",
        "MAX_DURATION",
        "ALLOW_ORIGIN",
        "RESULT_OPTIONS",
    }
)

#: Guards _made. Not held while something is made: to import a module may be to wait for another thread, which may want
#: the queue. So two threads may make one each; that of the slower one is closed.
_lock = threading.Lock()
_made: dict[str, Any] = {}


def configured() -> Mapping[str, Any]:
    """The setting, its keys checked.

    Raises:
        ImproperlyConfigured: it is missing, or says too much or too little.
    """
    setting = getattr(settings, NAME, None)
    if not isinstance(setting, Mapping):
        raise ImproperlyConfigured(
            f'{NAME} must be a dict, such as {{"PROGRAM": BASE_DIR / "build.py"}}; got {setting!r}'
        )
    unknown = sorted(set(setting) - KEYS, key=str)
    if unknown:
        raise ImproperlyConfigured(f"{NAME} has no key {unknown[0]!r}; it has {', '.join(sorted(KEYS))}")
    if ("PROGRAM" in setting) == ("QUEUE" in setting):
        raise ImproperlyConfigured(f"{NAME} must have a PROGRAM, with OPTIONS for its queue, or a QUEUE, and not both")
    if "QUEUE" in setting and "OPTIONS" in setting:
        raise ImproperlyConfigured(
            f"{NAME} has OPTIONS for a queue that is there: give them where {setting['QUEUE']} is made"
        )
    return setting


def queue() -> WorkQueue:
    """The queue of this process, made when it is first asked for.

    Raises:
        ImproperlyConfigured: for a setting that makes none.
    """
    kept: WorkQueue | None = _kept("queue")
    if kept is not None:
        return kept
    made = _make_queue(configured())
    kept = _keep("queue", made)
    if made is not kept:
        made.close(0.0)
    return kept


def service() -> GenerateService:
    """What stands in front of the queue.

    Raises:
        ImproperlyConfigured: for a setting that makes none, with the key that is wrong.
    """
    kept: GenerateService | None = _kept("service")
    return kept or _keep("service", _make_service(configured(), queue()))


def result_options() -> ResultOptions:
    """How results are served.

    Raises:
        ImproperlyConfigured: the setting is missing, or says too much or too little.
    """
    options: ResultOptions = configured().get("RESULT_OPTIONS", {})
    return options


def authorize() -> Callable[..., object] | None:
    """What decides, given the request and the parameters, whether a client may have a job or its result.

    Raises:
        ImproperlyConfigured: it is no plain function.
    """
    return _function("AUTHORIZE", "the request and the parameters")


def _make_queue(setting: Mapping[str, Any]) -> WorkQueue:
    if "QUEUE" not in setting:
        with _blaming("PROGRAM", " with its OPTIONS"):
            return WorkQueue(setting["PROGRAM"], **setting.get("OPTIONS", {}))
    found = _named("QUEUE")
    if not isinstance(found, WorkQueue):
        raise ImproperlyConfigured(f"{NAME}['QUEUE'] must be a WorkQueue, or the path of one; got {found!r}")
    return found


def _make_service(setting: Mapping[str, Any], queue: WorkQueue) -> GenerateService:
    heartbeat = setting.get("HEARTBEAT", DEFAULT_HEARTBEAT)
    max_duration = setting.get("MAX_DURATION", DEFAULT_MAX_DURATION)
    allow_origin = setting.get("ALLOW_ORIGIN")
    with _blaming("HEARTBEAT"):
        check_stream_options(heartbeat, None)
    with _blaming("MAX_DURATION"):
        check_stream_options(DEFAULT_HEARTBEAT, max_duration)
    with _blaming("ALLOW_ORIGIN"):
        check_origin(allow_origin)
    with _blaming("RESULT_OPTIONS"):
        check_result_options(queue, result_options())
    params = _function("PARAMS", "Fields") or overview_params
    has_authorize = authorize() is not None
    with _blaming("AUTHORIZE"):
        return GenerateService(
            queue,
            params=params,
            authorize=_by_the_view if has_authorize else None,
            allow_origin=allow_origin,
            heartbeat=heartbeat,
            max_duration=max_duration,
        )


def _function(key: str, given: str) -> Callable[..., Any] | None:
    """The function that the setting names, or holds; None: neither."""
    function: Any = _named(key)
    if function is not None and (not callable(function) or is_async(function)):
        raise ImproperlyConfigured(
            f"{NAME}[{key!r}] must be a plain function, called with {given}, or the path of one; got {function!r}"
        )
    named: Callable[..., Any] | None = function
    return named


def _named(key: str) -> Any:
    """What the setting names by its path, or holds; None: neither."""
    value = configured().get(key)
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except Exception as error:  # its module is the site's own, and may raise whatever it likes
        raise ImproperlyConfigured(f"{NAME}[{key!r}] cannot be imported: {type(error).__name__}: {error}") from error


@contextmanager
def _blaming(key: str, more: str = "") -> Iterator[None]:
    """Say of an error, whatever it is, which key of the setting is wrong."""
    try:
        yield
    except Exception as error:
        raise ImproperlyConfigured(f"{NAME}[{key!r}]{more}: {type(error).__name__}: {error}") from error


def _kept(name: str) -> Any:
    with _lock:
        return _made.get(name)


def _keep(name: str, made: Any) -> Any:
    """Keep it, unless another thread was quicker; what is kept."""
    with _lock:
        return _made.setdefault(name, made)


def _by_the_view(_params: object) -> bool:
    raise AssertionError("the view asks, since it has the request")


def _forget(*, setting: str, **_: object) -> None:
    # Tests change settings.
    if setting == NAME:
        with _lock:
            _made.clear()


setting_changed.connect(_forget)
