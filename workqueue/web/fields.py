"""7 fields: a request's query, body and Authorization header -> named strings; pure."""

import base64
import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from workqueue.params import MAX_FIELDS, OverviewViewParams
from workqueue.web.problem import Problem

#: Many times what a page sends, and read in a millisecond or two; `workqueue.params` has limits for each field.
MAX_BODY_BYTES: Final = 256 * 1024

#: How much of a field's name a refusal repeats.
_SHOWN: Final = 100

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
        detail = f"the API token is missing: send it as the user of Basic authorization, or as the field {TOKEN}"
        raise Problem(HTTPStatus.UNAUTHORIZED, detail)
    return OverviewViewParams(server, document_set_id, fields[TOKEN])


def parse_fields(query: str = "", content_type: str = "", body: bytes = b"", authorization: str = "") -> Fields:
    """Read all that a request says, as the apps do; the body before the query, the Authorization header before both.

    Args:
        query: the address behind its question mark, still encoded; a byte a character, as WSGI has it.
        content_type: the header; empty: there is none.
        body: a form or a JSON object; one of more than 256 KiB is refused.
        authorization: the header; the user of Basic becomes the field `apiToken`, whatever the password: plugins
            send ``x-auth-token``, as Overview wants it, or ``x-api-token``, as documents of 1.0.1 had it.

    Raises:
        Problem: what cannot be read, or says one thing twice.
    """
    fields = Fields(_urlencoded(_bytes(query), "the query"))
    if len(body) > MAX_BODY_BYTES:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have at most {MAX_BODY_BYTES} bytes")
    if body:
        fields.update(_of_body(content_type, body))
    token = _user(authorization)
    if token:
        fields[TOKEN] = token
    return fields


def _bytes(query: str) -> bytes:
    try:
        return query.encode("latin-1")
    except UnicodeEncodeError:
        raise Problem(HTTPStatus.BAD_REQUEST, "the query must be escaped, and encoded in UTF-8") from None


def _of_body(content_type: str, body: bytes) -> dict[str, str]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return _urlencoded(body, "the form")
    if media_type == "application/json":
        return _of_json(_text(body, "the JSON body"))
    # Not multipart/form-data: that is for files, and a parser for it that holds against strangers is a library.
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/x-www-form-urlencoded or application/json"
    )


def _urlencoded(data: bytes, where: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(_text(data, where), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
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
    raise Problem(HTTPStatus.BAD_REQUEST, f"{name[:_SHOWN]} must be a string or a whole number")


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
            raise Problem(HTTPStatus.BAD_REQUEST, f"{name[:_SHOWN]} is twice in {where}")
        fields[name] = value
    if len(fields) > MAX_FIELDS:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{where} must have at most {MAX_FIELDS} fields")
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
