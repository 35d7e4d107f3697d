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
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from workqueue import WorkQueue
from workqueue.streams.options import DEFAULT_HEARTBEAT
from workqueue.web.fields import overview_params
from workqueue.web.generate_service import GenerateService
from workqueue.web.service import is_async
from workqueue.web.stream import DEFAULT_MAX_DURATION

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

#: Guards _made. Reentrant: to make the service is to make the queue.
_lock = threading.RLock()
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
    unknown = sorted(set(setting) - KEYS)
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
    with _lock:
        if "queue" not in _made:
            setting = configured()
            if "QUEUE" in setting:
                _made["queue"] = named("QUEUE")
            else:
                _made["queue"] = WorkQueue(setting["PROGRAM"], **setting.get("OPTIONS", {}))
        made: WorkQueue = _made["queue"]
        return made


def service() -> GenerateService:
    """What stands in front of the queue.

    Raises:
        ImproperlyConfigured: for a setting that makes none.
        TypeError, ValueError: for an option that cannot work.
    """
    with _lock:
        if "service" not in _made:
            setting = configured()
            _made["service"] = GenerateService(
                queue(),
                params=named("PARAMS") or overview_params,
                authorize=None if authorize() is None else _by_the_view,
                allow_origin=setting.get("ALLOW_ORIGIN"),
                heartbeat=setting.get("HEARTBEAT", DEFAULT_HEARTBEAT),
                max_duration=setting.get("MAX_DURATION", DEFAULT_MAX_DURATION),
            )
        made: GenerateService = _made["service"]
        return made


def authorize() -> Callable[..., object] | None:
    """What decides, given the request and the parameters, whether a client may have a job or its result.

    Raises:
        TypeError: it is async.
    """
    function: Callable[..., object] | None = named("AUTHORIZE")
    if is_async(function):
        raise TypeError(f"{NAME}['AUTHORIZE'] must be a plain function, called with the request and the parameters")
    return function


def named(key: str) -> Any:
    """What the setting names by its path, or holds; None: neither.

    Raises:
        ImproperlyConfigured: there is nothing of this name.
    """
    value = configured().get(key)
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ImproperlyConfigured(f"{NAME}[{key!r}] cannot be imported: {error}") from error


def _by_the_view(_params: object) -> bool:
    raise AssertionError("the view asks, since it has the request")


def _forget(*, setting: str, **_: object) -> None:
    # Tests change settings.
    if setting == NAME:
        with _lock:
            _made.clear()


setting_changed.connect(_forget)
