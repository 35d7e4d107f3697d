"""The schemas of what clients are sent, and what it takes to hold something against them."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.web.conftest import Reply
from workqueue.web import problem_schema, progress_array_schema, progress_schema
from workqueue.web.encodings import JsonArray, ServerSent

EVENT = Draft202012Validator(progress_schema())
ARRAY = Draft202012Validator(progress_array_schema())
PROBLEM = Draft202012Validator(problem_schema())


def events_of(reply: Reply) -> list[Any]:
    """The events of a whole response, as its client decodes it."""
    text, media_type = reply.body.decode(), reply.headers["content-type"].partition(";")[0]
    if media_type == JsonArray.media_type:
        array = json.loads(text)
        ARRAY.validate(array)
        return list(array)
    if media_type == ServerSent.media_type:
        return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in text.splitlines()]


def spoil(schema: Any) -> None:
    """Change every dict and list in it."""
    for part in list(schema.values() if isinstance(schema, dict) else schema):
        if isinstance(part, dict | list):
            spoil(part)
    schema.clear()
