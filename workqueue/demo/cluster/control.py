"""/cluster/nodes, /cluster/kill, /cluster/start, /cluster/again: the page's buttons.

Whoever can reach these can end the demo's processes. So all of them need the token that the page has, which no other
account of this machine knows; and what changes anything must come from a page of ours, as the browser says (Origin),
under a name by which this machine calls itself: not from a page elsewhere, whatever name it has its reader's browser
take for 127.0.0.1.
"""

import hmac
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request

from workqueue import OverviewViewParams, StorageError, WorkQueue
from workqueue.demo.cluster.cluster import Cluster
from workqueue.demo.cluster.node import Node
from workqueue.web import Problem, parse_fields


def create_control(
    cluster: Cluster, queue: WorkQueue, params: OverviewViewParams, origins: Collection[str]
) -> Blueprint:
    """Make it; the plugin's app takes it.

    Args:
        cluster: what is told of, killed and started.
        queue: whose result is removed, to be built again.
        params: of that result; their token is the page's.
        origins: where the page is, such as ``http://127.0.0.1:8765``.
    """
    control = Blueprint("cluster", __name__, url_prefix="/cluster")

    def check() -> None:
        token = parse_fields(authorization=request.headers.get("Authorization", "")).get("apiToken", "")
        if not hmac.compare_digest(token.encode(), params.api_token.encode()):
            raise Problem(HTTPStatus.UNAUTHORIZED, "the token of the page's address is needed")
        if request.method != "GET" and request.headers.get("Origin") not in origins:
            raise Problem(HTTPStatus.FORBIDDEN, "only the demo's own page may do that")

    @control.get("/nodes")
    def nodes() -> dict[str, Any]:
        return {"nodes": cluster.standing()}

    @control.post("/kill")
    def kill() -> Response:
        _named(cluster).kill()
        return Response(status=HTTPStatus.NO_CONTENT)

    @control.post("/start")
    def start() -> Response:
        _named(cluster).start()
        return Response(status=HTTPStatus.NO_CONTENT)

    @control.post("/again")
    def again() -> Response:
        try:
            queue.delete(params)
        except StorageError as err:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the index cannot be removed now; try again later") from err
        return Response(status=HTTPStatus.NO_CONTENT)

    control.before_request(check)
    control.after_request(_not_kept)
    return control


def _named(cluster: Cluster) -> Node:
    body = request.get_data(cache=False)
    name = parse_fields(content_type=request.headers.get("Content-Type", ""), body=body).get("node", "")
    node = cluster.node(name)
    if node is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such node")
    return node


def _not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
