"""1 and 5 endpoint: a bucket's URL and options -> its provider, and where that is; it reads the environment."""

import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

#: No more than needs no quoting in any of the three: obstore panics over some of the rest.
_URL: Final = re.compile(r"(s3|gs|az)://[A-Za-z0-9][\w.-]*(/[\w.=+-]+)*/?", re.ASCII)

#: By which name each provider's configuration has the endpoint.
ENDPOINT_OPTIONS: Final = {"s3": "endpoint", "gs": "base_url", "az": "endpoint"}

#: Where obstore looks for an endpoint that is not given.
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")


def scheme_of(url: str) -> str:
    """The scheme of a bucket's URL.

    Raises:
        ValueError: it is no such URL.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(
            "url must be s3://BUCKET, gs://BUCKET or az://CONTAINER, and may have /PREFIX behind it; got "
            + ("one with more" if re.search("[@?]", url) else repr(url))  # it may be a password, or a signature
        )
    return match[1]


def named_endpoint(endpoint: str | None, config: Mapping[str, Any]) -> str:
    """Where the service is, as the argument, an option or the environment says; empty if none of them does.

    Raises:
        ValueError: what it says is no URL.
    """
    named = {} if endpoint is None else {"endpoint": endpoint}
    named.update(
        (name, str(value)) for name, value in config.items() if "endpoint" in name or name.endswith("base_url")
    )
    if not named:
        named.update((name, os.environ[name]) for name in _ENDPOINT_VARIABLES if os.environ.get(name))
    for name, value in named.items():
        _check_endpoint(name, value)
    return next(iter(named.values()), "")


def _check_endpoint(name: str, endpoint: str) -> None:
    # obstore panics over one that is no URL, with an exception that is none.
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in endpoint:
        raise ValueError(f"{name} must be an http:// or https:// URL; got {endpoint!r}")


def allow_http(endpoint: str) -> dict[str, Any]:
    """The options for an endpoint with http://, which obstore wants to be allowed besides being named."""
    return {"allow_http": True} if endpoint.startswith("http://") else {}
