"""7 fields: a request's query, body and Authorization header -> named strings; pure."""

import base64
import json
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.message import MIMEPart
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from workqueue.params import MAX_FIELDS, OverviewViewParams
from workqueue.web.problem import Problem

#: More than all the fields that `workqueue.params` accepts need, though not in the most wasteful spelling of each.
MAX_BODY_BYTES: Final = 1024 * 1024

#: The field that holds a View's secret.
TOKEN: Final = "apiToken"  # noqa: S105 - a name


class Fields(dict[str, str]):
    """What a client gave. `fields["name"]` refuses a request that lacks it; `fields.get("name")` does not."""

    def __missing__(self, name: str) -> str:
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"{name} is missing: give it in the query, as a form field, or in a JSON object"
        )


def overview_params(fields: Fields) -> OverviewViewParams:
    """The parameters of an Overview plugin: `server`, `documentSetId`, and the token.

    Raises:
        Problem: 400 or 401, when one is missing.
    """
    server, document_set_id = fields["server"], fields["documentSetId"]
    if not fields.get(TOKEN):
        # The scheme is not called Basic: a browser would ask the person for a name and a password, and remember them.
        headers = {"WWW-Authenticate": 'x-Basic realm="the API token as the user; any password"'}
        detail = f"the API token is missing: send it as the user of Basic authorization, or as the field {TOKEN}"
        raise Problem(HTTPStatus.UNAUTHORIZED, detail, headers)
    return OverviewViewParams(server, document_set_id, fields[TOKEN])


def parse_fields(query: str, content_type: str, body: bytes, authorization: str) -> Fields:
    """Read all that a request says; the body before the query, the Authorization header before both.

    Args:
        query: the address behind its question mark, still encoded.
        content_type: the header; empty: there is none.
        body: at most MAX_BODY_BYTES of it are looked at.
        authorization: the header; the user of Basic becomes the field `apiToken`, whatever the password: plugins
            send ``x-auth-token``, as Overview wants it, or ``x-api-token``, as documents of 1.0.1 had it.

    Raises:
        Problem: what cannot be read, or says one thing twice.
    """
    fields = Fields(_urlencoded(query, "the query"))
    if len(body) > MAX_BODY_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {MAX_BODY_BYTES} bytes")
    if body:
        fields.update(_of_body(content_type, body))
    token = _user(authorization)
    if token:
        fields[TOKEN] = token
    return fields


def _of_body(content_type: str, body: bytes) -> dict[str, str]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return _urlencoded(_text(body, "the form"), "the form")
    if media_type == "application/json":
        return _of_json(_text(body, "the JSON body"))
    if media_type == "multipart/form-data":
        return _multipart(content_type, body)
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "the body must be application/x-www-form-urlencoded, multipart/form-data or application/json",
    )


def _urlencoded(text: str, where: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"{where} must have at most {MAX_FIELDS} fields, encoded in UTF-8"
        ) from None
    return _unique(pairs, where)


def _of_json(text: str) -> dict[str, str]:
    try:
        # Pairs instead of a dict, to find a name that is there twice. Objects inside the object become lists.
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if not text.lstrip().startswith("{"):
        raise Problem(HTTPStatus.BAD_REQUEST, "the JSON body must be an object of strings")
    return _unique([(name, _string(name, value)) for name, value in pairs], "the JSON body")


def _string(name: str, value: object) -> str:
    # A document set's number is a number in many clients; True is an int too, in Python.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value
    raise Problem(HTTPStatus.BAD_REQUEST, f"{name} must be a string or a whole number")


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + body, policy=policy.HTTP)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if not parts or any(part.get_content_disposition() != "form-data" for part in parts):
        raise Problem(HTTPStatus.BAD_REQUEST, "the multipart/form-data body is malformed")
    return _unique((_of_part(part) for part in parts), "the form")


def _of_part(part: MIMEPart) -> tuple[str, str]:
    name = part.get_param("name", header="content-disposition")
    data = part.get_payload(decode=True)
    if part.get_filename() is not None or not isinstance(name, str) or not isinstance(data, bytes):
        raise Problem(HTTPStatus.BAD_REQUEST, "the form may hold named strings, and no files")
    return name, _text(data, f"the field {name}")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{what} must be encoded in UTF-8") from None


def _unique(pairs: Iterable[tuple[str, str]], where: str) -> dict[str, str]:
    """Refuse a name that is there twice: what checks a request may take the one, and what runs it the other."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Problem(HTTPStatus.BAD_REQUEST, f"{name} is twice in {where}")
        fields[name] = value
    return fields


def _user(authorization: str) -> str:
    """The user of Basic authorization (RFC 7617); empty when there is none."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "the Authorization header must be Basic, with user:password in Base64 and UTF-8"
        ) from None
