"""7 django checks: settings -> what ``manage.py check`` says of them."""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from workqueue import WorkQueueError
from workqueue.web.django import configuration

GZIP: Final = "django.middleware.gzip.GZipMiddleware"


def check_setting(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Whether the setting makes a queue, and all that it names is there."""
    del app_configs
    try:
        configuration.service()
    except (ImproperlyConfigured, TypeError, ValueError, OSError, WorkQueueError) as error:
        hint = f"{configuration.__name__} shows the setting"
        return [checks.Error(str(error), hint=hint, id="workqueue.E001")]
    return []


def check_streams(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Which settings hold streams back, or break them."""
    del app_configs
    found: list[checks.CheckMessage] = []
    if GZIP in settings.MIDDLEWARE:
        found.append(
            checks.Info(
                f"{GZIP} holds back a stream until its end, unless it has a Content-Encoding.",
                hint="Those of progress_response have one, and come through. Send stream.headers with a"
                " StreamingHttpResponse that you make of a ProgressStream yourself.",
                id="workqueue.I001",
            )
        )
    return found
