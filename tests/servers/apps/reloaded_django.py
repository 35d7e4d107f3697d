"""A site in Django with its ``manage.py``, to be copied and then edited while a program runs."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import path

from workqueue import WorkQueue
from workqueue.web.django import progress_response

VERSION = 1

queue = WorkQueue("endless", storage_dir="storage")


def version(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VERSION))


def view(request: HttpRequest) -> HttpResponse:
    return progress_response(queue.ensure_run(("a",)), request)


urlpatterns = [path("version", version), path("view", view)]

if __name__ == "__main__":
    settings.configure(ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="none")
    execute_from_command_line(sys.argv)
