"""7 django views: a request of Django's -> a job that is told of, a result, or the browser module."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt

from workqueue import Params
from workqueue.web.django import configuration
from workqueue.web.django.responses import response_of, result_response
from workqueue.web.fields import MAX_BODY_BYTES
from workqueue.web.message import Answer, Request, request_of
from workqueue.web.service import REFUSALS, check_verdict

# Plain functions, though ASGI would like async ones: what decides who may ask may look into Django's database, and
# greenlets (gevent) do not go with loops. The streams themselves take no thread under ASGI.


# A request carries its secret itself, or is authorized by a cookie. If that is SameSite=Lax, as Django's is by default,
# browsers add it to no other site's POST; `checks.check_cookie` warns where it is not.
@csrf_exempt
@xframe_options_exempt
def generate(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Tell how a job goes; or send the browser module, or its types, by their names.

    Args:
        request: of the view.
        path: behind the place where the URLs are included.
    """
    service = configuration.service()
    asked = _asked(request, path)
    try:
        answer = service.answer_without_job(asked) or service.answer(asked, _allowed(request, asked))
    except REFUSALS as error:
        answer = service.refuse(error)
    if request.method == "HEAD" and isinstance(answer.body, bytes):
        answer = Answer(answer.status, answer.headers)
    return response_of(answer, request)


@csrf_exempt
@xframe_options_exempt
def result(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """Send a result.

    Args:
        request: of the view.
        path: of a file within the result, if that is a directory.
    """
    service = configuration.service()
    asked = _asked(request, "")
    try:
        # A method that there is not is refused as for a job.
        answer = service.answer_without_job(asked)
        params = None if answer is not None else _allowed(request, asked)
    except REFUSALS as error:
        answer, params = service.refuse(error), None
    if answer is not None or params is None:
        assert answer is not None
        return response_of(answer, request)
    where = reverse("workqueue:generate")
    options = configuration.result_options()
    return result_response(configuration.queue(), params, request, path=path, generate=where, **options)


def _asked(request: HttpRequest, path: str) -> Request:
    body = request.read(MAX_BODY_BYTES + 1) if request.method == "POST" else b""
    of_view = request_of(request.method or "GET", request.headers.items(), f"/{path}")
    return of_view._replace(query=request.META.get("QUERY_STRING", ""), body=body)


def _allowed(request: HttpRequest, asked: Request) -> Params:
    """The parameters, of a client that may have what is built of them."""
    params = configuration.service().params_of(asked)
    authorize = configuration.authorize()
    if authorize is not None:
        check_verdict(authorize(request, params))
    return params
