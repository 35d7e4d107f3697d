"""For gunicorn, and for runserver."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_reports.settings")
application = get_wsgi_application()
