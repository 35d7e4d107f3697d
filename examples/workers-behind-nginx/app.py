"""The example of Flask, for several workers that act as one, behind a proxy."""

import os
from pathlib import Path

from flask import Flask, Response, send_file
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from workqueue import WorkQueue
from workqueue.web import Fields, Problem
from workqueue.web.wsgi import GenerateApp, ResultApp

here = Path(__file__).parent
app = Flask(__name__)

# All workers share the directory: so they have one line, and two programs run at a time in all of them together.
queue = WorkQueue(
    here / "build.py",
    storage_dir=os.environ.get("RESULTS", here / "results"),
    max_running=2,
    max_pending=1000,
    suffix=".txt",
)


def params(fields: Fields) -> tuple[str, str]:
    """What the program is given; a client is told what is wrong with it."""
    if not fields["seconds"].isdecimal():
        raise Problem(400, "seconds must be a whole number")
    return fields["name"], fields["seconds"]


app.wsgi_app = DispatcherMiddleware(
    app.wsgi_app,
    {
        "/generate": GenerateApp(queue, params=params),
        "/report": ResultApp(queue, params=params, generate="/generate"),
    },
)


@app.get("/")
def page() -> Response:
    return send_file(here / "page.html")


@app.get("/worker")
def worker() -> dict[str, int]:
    """Which worker answers, to see that there are several."""
    return {"pid": os.getpid()}
