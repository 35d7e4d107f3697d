"""A site in Django, with the middleware that compresses, for WSGI and for ASGI."""

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from tests.servers.apps.site import CountedASGI, CountedWSGI, job_of, options, stats
from workqueue.web.django import progress_response
from workqueue.web.stream import ProgressStream

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="none",
)
django.setup(set_prefix=False)

from django.core.asgi import get_asgi_application  # noqa: E402 - once the settings are there
from django.core.wsgi import get_wsgi_application  # noqa: E402


def _query(request: HttpRequest) -> str:
    return request.META["QUERY_STRING"]


def _respond(request: HttpRequest) -> HttpResponse:
    query = _query(request)
    response = progress_response(job_of(query), request, **options(query))
    for name in filter(None, request.GET.get("without", "").split(",")):
        del response.headers[name]
    return response


def ping(request: HttpRequest) -> HttpResponse:
    return HttpResponse("pong")


def show_stats(request: HttpRequest) -> HttpResponse:
    return JsonResponse(stats(_query(request)))


def view(request: HttpRequest) -> HttpResponse:
    return _respond(request)


async def async_view(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(_respond)(request)


def wrong(request: HttpRequest) -> HttpResponse:
    """The iterator that this server is not made for."""
    stream = ProgressStream(job_of(_query(request)), "application/x-ndjson", **options(_query(request)))
    body = stream.to_generator() if isinstance(request, ASGIRequest) else stream.to_async_iter()
    return StreamingHttpResponse(body, headers=stream.headers)


urlpatterns = [
    path("ping", ping),
    path("stats", show_stats),
    path("view", view),
    path("async_view", async_view),
    path("wrong", wrong),
]

wsgi = CountedWSGI(get_wsgi_application())
asgi = CountedASGI(get_asgi_application())
