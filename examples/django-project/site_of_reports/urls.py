"""The page, and the app that answers it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path


def page(request: HttpRequest) -> HttpResponse:
    """Show one report: that on whales, or what the address says."""
    asked = {"name": request.GET.get("name", "whales"), "seconds": request.GET.get("seconds", "20")}
    return render(request, "page.html", asked)


urlpatterns = [
    path("", page),
    path("generate/", include("workqueue.web.django.urls")),
]
