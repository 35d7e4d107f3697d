"""A site in Flask, to be copied and then edited while a program runs."""

from flask import Flask, Response, request

from workqueue import WorkQueue
from workqueue.streams import to_generator
from workqueue.web.flask import progress_response

VERSION = 1

app = Flask(__name__)
queue = WorkQueue("endless", storage_dir="storage")


@app.get("/version")
def version() -> str:
    return str(VERSION)


@app.get("/begin")
def begin() -> str:
    job = queue.ensure_run(("a",))
    assert job is not None
    return next(str(progress.fraction) for progress in to_generator(job.progress) if progress.fraction)


@app.get("/view")
def view() -> Response:
    return progress_response(queue.ensure_run(("a",)), request)
