"""A site in Flask: `GenerateApp` mounted, a view with `progress_response`, and what breaks streams."""

import os
from typing import Any

from flask import Flask, Response, request
from flask_compress import Compress
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.servers.apps.site import CountedWSGI, asked, job_of, options, queue, stats
from tests.servers.apps.stop import close_at_sigterm
from workqueue.web.flask import progress_response
from workqueue.web.wsgi import GenerateApp


def make_app() -> Flask:
    app = Flask(__name__)

    @app.get("/ping")
    def ping() -> str:
        return "pong"

    @app.get("/stats")
    def show_stats() -> dict[str, Any]:
        return stats(request.query_string.decode())

    @app.get("/view")
    def view() -> Response:
        query = request.query_string.decode()
        response = progress_response(job_of(query), request, **options(query))
        for name in filter(None, request.args.get("without", "").split(",")):
            del response.headers[name]
        return response

    return app


def generate(environ: dict[str, Any], start_response: Any) -> Any:
    generate_app = GenerateApp(queue, params=asked, **options(environ["QUERY_STRING"]))
    return generate_app(environ, start_response)


compressed = make_app()
compressed.config["COMPRESS_MIN_SIZE"] = 0
Compress(compressed)

app = make_app()
app.wsgi_app = CountedWSGI(
    DispatcherMiddleware(app.wsgi_app, {"/generate": generate, "/compressed": compressed.wsgi_app})
)

if "CLOSE_AT_SIGTERM" in os.environ:
    close_at_sigterm(queue)
