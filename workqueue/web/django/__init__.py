"""7 django: a job, or a result -> a response for a view in Django; and an app for `INSTALLED_APPS`, with all of it.

======================  ================================================================================================
`progress_response`     for a view of your own, under WSGI or ASGI
`result_response`       the same for results
`queue`                 the queue that the setting ``WORKQUEUE`` describes
======================  ================================================================================================

The app has URLs, ``include("workqueue.web.django.urls")``; a template tag, ``{% load workqueue %}``; and checks for
``manage.py check``.
"""

from workqueue.extras import Extra

with Extra("django", __name__):
    from workqueue.web.django.configuration import queue
    from workqueue.web.django.responses import progress_response, result_response

__all__ = ("progress_response", "queue", "result_response")
