"""Results in Django, with middleware that compresses and that evaluates conditions, for WSGI and for ASGI."""

import asyncio

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tests.servers.apps.results import OPTIONS, held, named, queue
from workqueue.web import Fields
from workqueue.web.django import result_response

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=[
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="none",
)
django.setup(set_prefix=False)

from django.core.asgi import get_asgi_application  # noqa: E402 - once the settings are there
from django.core.wsgi import get_wsgi_application  # noqa: E402


def view(request: HttpRequest) -> HttpResponse:
    params = named(Fields(request.GET.items()))
    return result_response(queue, params, request, generate="/app/generate", **OPTIONS)


async def async_view(request: HttpRequest) -> HttpResponse:
    return await asyncio.to_thread(view, request)


def show_held(request: HttpRequest) -> JsonResponse:
    return JsonResponse(held())


urlpatterns = [path("view", view), path("async_view", async_view), path("held", show_held)]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
