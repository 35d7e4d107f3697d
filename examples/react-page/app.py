"""A page in React that shows how reports come to be, and the reports."""

from pathlib import Path

from flask import Flask, send_file
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from workqueue import WorkQueue
from workqueue.web import Fields, Problem
from workqueue.web.wsgi import GenerateApp, ResultApp

here = Path(__file__).parent
app = Flask(__name__)
queue = WorkQueue(here / "build.py", storage_dir=here / "results", max_running=2, suffix=".txt")


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
def page():
    return send_file(here / "page.html")


@app.get("/main.js")
def bundle():
    return send_file(here / "bundle" / "main.js")
