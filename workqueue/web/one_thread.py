"""7 one_thread: a WSGI server that serves one request at a time -> a word about it, once."""

import logging
import sys
import threading
from collections.abc import Mapping
from typing import Final

logger = logging.getLogger("workqueue")

ADVICE: Final = (
    "this server has one thread in each process (wsgi.multithread is False): while it sends a stream of progress, it"
    " answers nobody else, and gunicorn's --timeout kills it. Give it threads: gunicorn --worker-class gthread"
    " --threads 32, waitress-serve --threads 32, uWSGI threads = 32, flask run --with-threads"
)
"""What is logged."""

_lock = threading.Lock()
_told: list[str] = []  # guarded by _lock


def warn_of_one_thread(environ: Mapping[str, object]) -> None:
    """Log a warning, once in a process, if a stream is to be sent by a server that has one thread.

    Args:
        environ: of the request (PEP 3333).
    """
    if environ.get("wsgi.multithread", True) or not _has_server(environ) or _has_greenlets():
        return
    with _lock:
        if _told:
            return
        _told.append(ADVICE)
    logger.warning(ADVICE)


def _has_server(environ: Mapping[str, object]) -> bool:
    """Whether a server made this: the test clients of Django and Werkzeug have one thread too, but no name."""
    # uWSGI gives its version under a name of its own alone.
    return "SERVER_SOFTWARE" in environ or "uwsgi.version" in environ


def _has_greenlets() -> bool:
    """Whether a library gives each request a greenlet, as uWSGI has gevent do without saying so."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    return bool(
        (gevent is not None and gevent.is_module_patched("threading"))
        or (eventlet is not None and eventlet.is_monkey_patched("thread"))
    )
