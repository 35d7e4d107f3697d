"""A site in Django with its ``manage.py``, to be copied and then edited while a program runs."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import path

from workqueue import WorkQueue

VERSION = 1

queue = WorkQueue("endless", storage_dir="storage")


def version(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(VERSION))


def begin(request: HttpRequest) -> HttpResponse:
    job = queue.ensure_run(("a",))
    assert job is not None
    told = (progress.message for progress in queue.report_job_progress_until_completed(job) if progress.message)
    return HttpResponse(next(told))


urlpatterns = [path("version", version), path("begin", begin)]

if __name__ == "__main__":
    settings.configure(ALLOWED_HOSTS=["*"], DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="none")
    execute_from_command_line(sys.argv)
