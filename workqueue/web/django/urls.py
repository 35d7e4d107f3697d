"""7 django urls: ``path("generate/", include("workqueue.web.django.urls"))`` -> the views."""

from django.urls import path

from workqueue.web.django.views import generate, result

app_name = "workqueue"

urlpatterns = [
    path("", generate, name="generate"),
    path("workqueue.js", generate, {"path": "workqueue.js"}, name="module"),
    path("workqueue.d.ts", generate, {"path": "workqueue.d.ts"}, name="types"),
    path("result", result, name="result"),
    path("result/<path:path>", result, name="result_file"),
]
