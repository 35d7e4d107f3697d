"""A site for uWSGI, with nothing but the library; and uWSGI itself, as ``python -m``.

Each response says in a header which worker made it. With WARM_UP, a program, a job was run before the workers are.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

if __name__ == "__main__":
    import pyuwsgi

    pyuwsgi.run(sys.argv[1:])

from tests.servers.apps.site import Asked, asked, job_of, options, queue
from workqueue.program.interpreter import python
from workqueue.web.wsgi import GenerateApp

if "WARM_UP" in os.environ:
    job = queue.ensure_run(Asked(os.environ["WARM_UP"], "warm-up"))
    assert job is None or job.wait(20).returncode == 0


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *rest)

    query = environ["QUERY_STRING"]
    if environ["PATH_INFO"] == "/generate":
        return GenerateApp(queue, params=asked, **options(query))(environ, start)
    answer: object = "pong"
    if environ["PATH_INFO"] in ("/ask", "/cancel"):
        job = job_of(query)
        answer = job is not None and (environ["PATH_INFO"] == "/ask" or job.cancel())
    elif environ["PATH_INFO"] == "/python":
        answer = python()
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(answer).encode()]
