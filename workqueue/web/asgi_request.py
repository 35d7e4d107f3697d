"""7 asgi_request: a server's scope and messages -> what it was asked, with the body."""

from collections.abc import MutableMapping
from typing import Any

from workqueue.web.fields import MAX_BODY_BYTES
from workqueue.web.message import Request
from workqueue.web.sending import Receive


async def asgi_body(receive: Receive) -> bytes | None:
    """The request's body, or as much of it as shows that it is too long; None: the client left in the middle."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def asgi_request(scope: MutableMapping[str, Any], body: bytes) -> Request:
    """What the server was asked."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value  # RFC 9110, section 5.3
    path, root = scope["path"], scope.get("root_path", "")
    if f"{path}/".startswith(f"{root}/"):
        path = path[len(root) :]
    return Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body, root, scope)
