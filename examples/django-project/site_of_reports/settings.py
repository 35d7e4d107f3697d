"""As few settings as a project can have: no database, no users."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent

DEBUG = "DJANGO_SECRET_KEY" not in os.environ
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for development alone")
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "site_of_reports.urls"
WSGI_APPLICATION = "site_of_reports.wsgi.application"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
    },
]

INSTALLED_APPS = ["workqueue.web.django"]
WORKQUEUE = {
    "PROGRAM": BASE_DIR / "build.py",
    "OPTIONS": {"storage_dir": BASE_DIR / "results", "max_running": 2, "suffix": ".txt"},
    "PARAMS": "site_of_reports.reports.params",
}
