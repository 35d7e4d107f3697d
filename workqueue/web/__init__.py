"""7 web: requests -> responses that tell, event by event, how a job goes.

===========================================  ===========================================================================
`workqueue.web.wsgi.GenerateApp`             a ready ``/generate`` for WSGI servers
`workqueue.web.asgi.GenerateApp`             the same for ASGI servers
`workqueue.web.flask.progress_response`      for a view of your own in Flask, or of Werkzeug's
`workqueue.web.starlette.progress_response`  for an endpoint of your own in Starlette or FastAPI
`workqueue.web.django.progress_response`     for a view of your own in Django, under WSGI or ASGI
`ProgressStream`                             what these are made of, for any other framework
`parse_fields`, `overview_params`            what a request asks for, in a view of your own
`workqueue.web.wsgi.ResultApp`               a ready ``/result``, which sends what was built; also in ``asgi``
`workqueue.web.flask.result_response`        the same in a view of your own; also in ``starlette`` and ``django``
`ResultOptions`                              how results are sent
`Problem`                                    a refusal, and what a refusal of the queue is in HTTP
`OverviewTokenCheck`                         an `authorize` that asks Overview
`workqueue.web.wsgi.DashboardApp`            a page for operators that shows a queue live; also in ``asgi``
`Request`                                    what its `authorize_operator` is asked about
`progress_schema` and its siblings           what clients are sent, as JSON Schema
`progress_responses`                         the same for OpenAPI, as FastAPI takes it
===========================================  ===========================================================================

Nothing here needs a package besides the framework that is named. The browser's side is `BROWSER_MODULE`, which the
apps serve as ``workqueue.js``, and beside it `BROWSER_TYPES`, which declares it to TypeScript.
"""

from workqueue.web.browser import BROWSER_MODULE, BROWSER_TYPES
from workqueue.web.fields import Fields, overview_params, parse_fields
from workqueue.web.message import Request
from workqueue.web.openapi import progress_responses
from workqueue.web.overview import OverviewTokenCheck
from workqueue.web.problem import Problem
from workqueue.web.result_options import ResultOptions
from workqueue.web.schema import problem_schema, progress_array_schema, progress_schema
from workqueue.web.stream import ProgressStream

__all__ = (
    "BROWSER_MODULE",
    "BROWSER_TYPES",
    "Fields",
    "OverviewTokenCheck",
    "Problem",
    "ProgressStream",
    "Request",
    "ResultOptions",
    "overview_params",
    "parse_fields",
    "problem_schema",
    "progress_array_schema",
    "progress_responses",
    "progress_schema",
)
