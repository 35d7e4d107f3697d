"""A site in Flask, to be copied and then edited while a program runs."""

from flask import Flask

from workqueue import WorkQueue

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
    return next(progress.message for progress in queue.report_job_progress_until_completed(job) if progress.message)
