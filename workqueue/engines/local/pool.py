"""4 local pool: the threads of a queue that was given no executor."""

import threading
from concurrent.futures import ThreadPoolExecutor


class Pool(ThreadPoolExecutor):
    """A pool whose threads are daemons.

    The interpreter waits for them all the same: `at_exit` closes the engine, and `concurrent.futures` joins them. But
    those of a parent are waited for by nobody in a child that was forked in C (uWSGI). Of others Python 3.13 is told in
    no way that they are not there.
    """

    def _adjust_thread_count(self) -> None:
        # A new thread is a daemon if the one that starts it is; nothing else decides that for a pool's.
        starter = threading.current_thread()
        is_daemon = starter.daemon
        starter._daemonic = True  # type: ignore[attr-defined]  # noqa: SLF001 - the property refuses, of a live thread
        try:
            super()._adjust_thread_count()
        finally:
            starter._daemonic = is_daemon  # type: ignore[attr-defined]  # noqa: SLF001
