"""Results through each way that WSGI has: the applications, and views in Flask, one with compression."""

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, request
from flask_compress import Compress
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.servers.apps.results import OPTIONS, held, named, queue
from workqueue.web import Fields
from workqueue.web.flask import result_response
from workqueue.web.wsgi import GenerateApp, ResultApp


def make_app() -> Flask:
    app = Flask(__name__)

    @app.get("/view")
    def view() -> Response:
        params = named(Fields(request.args))
        return result_response(queue, params, request, generate="/app/generate", **OPTIONS)

    @app.get("/held")
    def show_held() -> dict[str, int]:
        return held()

    return app


def never_iterated(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A middleware that answers something else."""
    body = ResultApp(queue, params=named)(environ, lambda *_: None)
    body.close()  # type: ignore[attr-defined]
    start_response("200 OK", [("Content-Length", "0")])
    return []


compressed = make_app()
compressed.config["COMPRESS_MIN_SIZE"] = 0
compressed.config["COMPRESS_MIMETYPES"] = ["application/x-test", "multipart/byteranges"]
Compress(compressed)

app = make_app()
app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
    app.wsgi_app,
    {
        "/result": ResultApp(queue, params=named, generate="/app/generate", **OPTIONS),
        "/app": GenerateApp(queue, params=named, result="/result", result_options=OPTIONS),
        "/compressed": compressed.wsgi_app,
        "/never": never_iterated,
    },
)
