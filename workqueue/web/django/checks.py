"""7 django checks: settings -> what ``manage.py check`` says of them."""

from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from workqueue.web.django import configuration

GZIP: Final = "django.middleware.gzip.GZipMiddleware"


def check_setting(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Whether the setting makes a queue, and all that it names is there."""
    del app_configs
    try:
        configuration.service()
    except ImproperlyConfigured as error:
        hint = f"{configuration.__name__} shows the setting"
        return [checks.Error(str(error), hint=hint, id="workqueue.E001")]
    return []


def check_cookie(app_configs: Sequence[Any] | None, **_: Any) -> list[checks.CheckMessage]:
    """Whether other sites can ask in the name of somebody who is logged in: the views need no CSRF token."""
    del app_configs
    try:
        has_authorize = configuration.configured().get("AUTHORIZE") is not None
    except ImproperlyConfigured:
        return []  # which the other check tells
    if not has_authorize or settings.SESSION_COOKIE_SAMESITE != "None":
        return []
    return [
        checks.Warning(
            'SESSION_COOKIE_SAMESITE is "None": browsers send the session along with requests of other sites\' pages,'
            f" which can so start builds in the name of a user whom {configuration.NAME}['AUTHORIZE'] lets in.",
            hint='Set it to "Lax"; or, if this site is shown in a frame of another one, have AUTHORIZE look at'
            " something that the request itself carries, such as a token, and silence this.",
            id="workqueue.W001",
        )
    ]


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
