"""A page that shows how ffmpeg converts a video, and then plays it."""

import re
from pathlib import Path

from flask import Flask, send_file
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from workqueue import WorkQueue
from workqueue.web import Fields, Problem
from workqueue.web.wsgi import GenerateApp, ResultApp

here = Path(__file__).parent
videos = here / "videos"
app = Flask(__name__)
queue = WorkQueue(here / "convert.sh", storage_dir=here / "results", max_running=1, suffix=".mp4", time_limit=3600)


def params(fields: Fields) -> tuple[str]:
    """The video to convert: "sample", or a file of the directory videos, and no other."""
    name = fields["video"]
    if name == "sample":
        return (name,)
    # A name that began with "-" would be an option; one with "/" might be any file of this host.
    if not re.fullmatch(r"\w[\w.-]*", name) or not (videos / name).is_file():
        raise Problem(404, "there is no such video")
    return (str(videos / name),)


app.wsgi_app = DispatcherMiddleware(
    app.wsgi_app,
    {
        "/generate": GenerateApp(queue, params=params),
        # inline: a browser plays it, and asks for it in parts.
        "/video": ResultApp(queue, params=params, generate="/generate", inline=True),
    },
)


@app.get("/")
def page():
    return send_file(here / "page.html")
