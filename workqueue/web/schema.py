"""7 schema: the types of what clients are sent -> JSON Schema, for generators of code, tests and OpenAPI; pure.

`Progress` says what an event is. The text below each of its fields is read from it, and their types from the dict that
it is sent as, so that the schema cannot say anything else; what a type cannot say, such as bounds, is added here.

Source: `JSON Schema, draft 2020-12 <https://json-schema.org/draft/2020-12>`_, the dialect of OpenAPI 3.1.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final, get_args, get_type_hints

from workqueue.progress import Progress, ProgressDict

#: For a schema that stands alone: which JSON Schema it is written in.
_DIALECT: Final = {"$schema": "https://json-schema.org/draft/2020-12/schema"}

_JSON_TYPES: Final = {int: "integer", float: "number", str: "string", NoneType: "null"}

#: Of fields of `Progress`.
_BOUNDS: Final = {
    "n_ahead_in_queue": {"minimum": 0},
    "fraction": {"minimum": 0, "maximum": 1},
    "eta": {"minimum": 0},
}


def progress_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one event: a line of NDJSON, the data of a server-sent event.

    It allows no other property; `eta` may be missing. Its descriptions are left out where the package was installed
    without its source.

    Returns:
        A new dict, which you may change.
    """
    return {**_DIALECT, **event_schema()}


def progress_array_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a whole stream in ``application/json``.

    JSON Schema cannot say that it is the last event which has a ``returncode``; it says that exactly one has.

    Returns:
        A new dict, which you may change.
    """
    return {**_DIALECT, **array_schema()}


def problem_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a refusal's body, ``application/problem+json`` (RFC 9457).

    It allows more properties, as the RFC does.

    Returns:
        A new dict, which you may change.
    """
    return {**_DIALECT, **refusal_schema()}


def event_schema() -> dict[str, Any]:
    """`progress_schema`, to be part of another schema."""
    texts = _texts_below_fields(Progress)
    properties = {
        name: {
            "type": _json_type(hint),
            **_BOUNDS.get(name, {}),
            **({"description": texts[name]} if name in texts else {}),
        }
        for name, hint in get_type_hints(ProgressDict).items()
    }
    return {
        "title": "Progress",
        "description": "Where a job stands. The last event of a job, and no other, has a `returncode`.",
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name in ProgressDict.__required_keys__],
        "additionalProperties": False,
        "allOf": [
            {"if": {"required": ["eta"]}, "then": {"properties": {"returncode": {"type": "null"}}}},
            {"if": _has_returncode(), "then": {"properties": {"fraction": {"const": 1}}}},
            {
                "if": _has_returncode({"not": {"const": 0}}),
                "then": {"properties": {"error": {"type": "string"}}},
                "else": {"properties": {"error": {"type": "null"}}},
            },
        ],
    }


def array_schema() -> dict[str, Any]:
    """`progress_array_schema`, to be part of another schema."""
    return {
        "title": "ProgressArray",
        "description": "All events of a job, to its last; none when the result was there already.",
        "type": "array",
        "items": event_schema(),
        "if": {"minItems": 1},
        "then": {"contains": _has_returncode(), "minContains": 1, "maxContains": 1},
    }


def refusal_schema() -> dict[str, Any]:
    """`problem_schema`, to be part of another schema."""
    properties = {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What is wrong and what to do, for people."},
    }
    return {
        "title": "Problem",
        "description": "Why a request is refused (RFC 9457).",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _has_returncode(which: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The schema of a last event; of one with such a returncode."""
    return {"properties": {"returncode": {"type": "integer", **which}}, "required": ["returncode"]}


def _json_type(hint: Any) -> str | list[str]:
    """What a type is in JSON.

    Raises:
        KeyError: it has no simple one, and the field needs a thought here.
    """
    if isinstance(hint, UnionType):
        return [_JSON_TYPES[part] for part in get_args(hint)]
    return _JSON_TYPES[hint]


def _texts_below_fields(cls: type) -> dict[str, str]:
    # Python forgets them, so they are read from the source, as the documentation's tools do. The other ways are to
    # repeat them here, or to have `Annotated[float, "How far ..."]` in each signature that a reader sees.
    try:
        module = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    except OSError:
        return {}
    names = {base.__name__ for base in cls.__mro__}
    bodies = [node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name in names]
    texts = {}
    for field, below in (pair for body in bodies for pair in pairwise(body)):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                # Markdown in OpenAPI, and JSON's word for None.
                texts[name] = text.replace("``", "`").replace("None", "null")
    return texts
