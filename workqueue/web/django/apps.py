"""7 django apps: the app of ``INSTALLED_APPS = ["workqueue.web.django"]``."""

from django.apps import AppConfig
from django.core import checks

from workqueue.web.django.checks import check_cookie, check_setting, check_streams


class WorkqueueConfig(AppConfig):
    """Brings the template tag and the checks along."""

    name = "workqueue.web.django"
    label = "workqueue"
    verbose_name = "workqueue"

    def ready(self) -> None:
        """Register the checks."""
        checks.register(check_setting, "workqueue")
        checks.register(check_cookie, "workqueue")
        checks.register(check_streams, "workqueue")
