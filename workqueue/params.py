"""1 params: what is asked for -> what can be run: the program's arguments.

Pure functions, callable from any thread. Parameters come from strangers: everything that can never run is refused
here, before it takes a place in the queue, and no parameter is ever part of a file name; the key is.
"""

import functools
from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple

from workqueue.errors import InvalidParams

if TYPE_CHECKING:
    from urllib.parse import SplitResult

Params = tuple[str, ...]
"""Any tuple of strings, named or not; its fields become the program's arguments."""

#: The kernel refuses one argument of 128 KiB (Linux, MAX_ARG_STRLEN); browsers and servers stop at URLs of 2 to 8 KiB.
MAX_FIELD_BYTES: Final = 8 * 1024

#: Together with MAX_FIELD_BYTES, a quarter of Linux's usual 2 MiB for all arguments and the environment.
MAX_FIELDS: Final = 64


class OverviewViewParams(NamedTuple):
    """What an Overview plugin builds a database for: one View of one document set."""

    server: str
    """URL of Overview's API as the plugin's server reaches it, such as ``https://www.overviewdocs.com``."""

    document_set_id: str
    """The document set's number, as a string."""

    api_token: str
    """The View's secret. It is hidden from the repr, so that it does not end up in a log."""

    def __repr__(self) -> str:
        return f"OverviewViewParams(server={self.server!r}, document_set_id={self.document_set_id!r}, api_token=...)"


#: What Overview, and so a client, calls the fields of an `OverviewViewParams`; "server" is the same.
_SENT_AS: Final = {"document_set_id": "documentSetId", "api_token": "apiToken"}

#: Fields whose names hold one of these are secrets.
_SECRET_NAMES: Final = ("token", "secret", "password", "credential")


def secrets_of(params: Params) -> tuple[str, ...]:
    """The values of those fields that are secrets by their names; unnamed fields are not."""
    return tuple(value for name, value in zip(_names(params), params, strict=False) if _is_secret(name))


def masked(params: Params) -> Params:
    """The same fields, with three dots for each value that is a secret by its name; a plain tuple."""
    names = (*_names(params), *("" for _ in params))
    return tuple("..." if _is_secret(name) else value for name, value in zip(names, params, strict=False))


def _names(params: Params) -> tuple[str, ...]:
    return getattr(params, "_fields", ())


# Names are the fields of some few classes.
@functools.lru_cache(maxsize=64)
def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_NAMES)


def canonical(params: Params) -> Params:
    """The same parameters with the ``server`` of an OverviewViewParams in its one spelling, and no other change."""
    return params._replace(server=_canonical(params.server)) if isinstance(params, OverviewViewParams) else params


def check_params(params: Params, allowed_servers: Collection[str] | None = None) -> None:
    """Refuse what can never run.

    Args:
        params: any tuple of strings; the three fields of an OverviewViewParams are checked for their meaning too.
        allowed_servers: the only values of ``OverviewViewParams.server`` to accept, compared as URLs; None: any.

    Raises:
        InvalidParams: with the field and the reason.
    """
    # The types say it, but the values come from requests: this is where a None or an int is found out.
    if not isinstance(params, tuple):
        raise InvalidParams(f"parameters must be a tuple of strings; got {type(params).__name__}")
    if len(params) > MAX_FIELDS:
        raise InvalidParams(f"parameters must have at most {MAX_FIELDS} fields; got {len(params)}")
    sent_as = _SENT_AS if isinstance(params, OverviewViewParams) else {}
    for name, value in zip(field_names(params), params, strict=True):
        check_field(name, value, sent_as.get(name))
    if isinstance(params, OverviewViewParams):
        _check_overview(params, allowed_servers)


def field_names(params: Params) -> tuple[str, ...]:
    """What refusals call the fields: by their names, or by their numbers."""
    names = _names(params)
    return (*names[: len(params)], *(f"field {i}" for i in range(len(names), len(params))))


def check_field(name: str, value: object, sent_as: str | None = None) -> None:
    """Refuse what can be no argument of a program.

    Args:
        name: of the field.
        value: of the field.
        sent_as: see `InvalidParams`.

    Raises:
        InvalidParams: with the name and the reason.
    """
    if not isinstance(value, str):
        raise InvalidParams(f"{name} must be a string; got {type(value).__name__}", name, sent_as)
    if "\0" in value:
        raise InvalidParams(f"{name} must not contain a NUL character", name, sent_as)
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        text = f"{name} must be valid Unicode; it contains a lone surrogate"
        raise InvalidParams(text, name, sent_as) from None
    if size > MAX_FIELD_BYTES:
        raise InvalidParams(f"{name} must be at most {MAX_FIELD_BYTES} bytes long; got {size}", name, sent_as)


def _check_overview(params: OverviewViewParams, allowed_servers: Collection[str] | None) -> None:
    for name, value in zip(params._fields, params, strict=True):
        if not value:
            raise InvalidParams(f"{name} must not be empty", name, _SENT_AS.get(name))
    server = server_identity(params.server)
    if allowed_servers is not None and server not in map(server_identity, allowed_servers):
        raise InvalidParams(f"server {_shown(params.server)} is not one of those this plugin serves", "server")


# The servers that are asked for are few, and each is asked for with every request.
@functools.lru_cache(maxsize=64)
def server_identity(server: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, path), equal for two spellings of one server.

    Refused besides the obvious: blanks, control characters and backslashes, which URL parsers disagree about, and
    a user before the host, which makes ``https://good@evil`` look like good.
    """
    # Needed by the first request, not by an import, a quarter of whose time it would take.
    from urllib.parse import urlsplit  # noqa: PLC0415

    # Not all of it is repeated: it may hold a password.
    refusal = f"server must be an http:// or https:// URL with a host and nothing behind its path; got {_shown(server)}"
    if not server.isprintable() or any(c in server for c in ' \\@?#"<>'):
        raise InvalidParams(refusal, "server")
    try:
        url = urlsplit(server)
        port = url.port
    except ValueError:
        raise InvalidParams(refusal, "server") from None
    if url.scheme not in _DEFAULT_PORTS or not url.hostname:
        raise InvalidParams(refusal, "server")
    return (url.scheme, url.hostname, _port(url, port), url.path.rstrip("/"))


@functools.lru_cache(maxsize=64)
def _canonical(server: str) -> str:
    """The shortest spelling of a server; what is none stays as it is, and is refused elsewhere."""
    try:
        scheme, host, port, path = server_identity(server)
    except InvalidParams:
        return server
    at = f"[{host}]" if ":" in host else host
    return f"{scheme}://{at}{path}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{at}:{port}{path}"


_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _port(url: "SplitResult", port: int | None) -> int:
    return _DEFAULT_PORTS[url.scheme] if port is None else port


def _shown(server: str) -> str:
    return repr(server.rpartition("@")[2][:200])
