"""4 cluster options: what users say of a cluster, checked where it is given; pure, but for a warning on the log."""

import logging
import os
import re
import ssl
import threading
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from workqueue.engines.cluster.base import Access
from workqueue.engines.cluster.seal import Seal

#: What can be part of a subject and of a stream's name.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})

logger = logging.getLogger("workqueue")


def access_to(
    servers: str | Sequence[str],
    credentials: str | os.PathLike[str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Access:
    """How to get to these servers.

    Raises:
        ValueError: there are none.
    """
    urls = servers.split(",") if isinstance(servers, str) else servers
    stripped = tuple(url.strip() for url in urls if url.strip())
    if not stripped:
        raise ValueError("servers must be NATS URLs, such as nats://HOST:4222; got none")
    return Access(stripped, None if credentials is None else os.fspath(credentials), tls)


def secrets_of(secret: str | Sequence[str] | None) -> tuple[str, ...]:
    """The secrets that were given, the first of which closes."""
    if secret is None:
        return ()
    return tuple(part for part in (secret.split(",") if isinstance(secret, str) else secret) if part)


def check_name(name: str) -> str:
    """Refuse what cannot be a cluster's name.

    Raises:
        ValueError: with what it must be.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"a cluster's name must be up to 64 letters, digits, '-' and '_'; got {name!r}")
    return name


def check_lease(lease: float) -> None:
    """Refuse what cannot be a lease.

    Raises:
        ValueError: with what it must be.
    """
    if not 1.0 <= lease <= threading.TIMEOUT_MAX:
        raise ValueError(f"lease must be a number of seconds, 1 or more; got {lease!r}")


def warn_if_open(seal: Seal, access: Access) -> None:
    """Say so where tasks lie readable on another host."""
    elsewhere = [url for url in access.servers if urlsplit(url if "//" in url else f"//{url}").hostname not in _HERE]
    if elsewhere and not seal.is_closed:
        logger.warning(
            "tasks, with their arguments and tokens, will lie readable on the NATS servers, which are on another host;"
            " give ClusterEngine and workers a secret"
        )


def check_give_up(seconds: float) -> None:
    """Refuse what cannot be a time to wait for a server.

    Raises:
        ValueError: with what it must be.
    """
    if not seconds >= 0:
        raise ValueError(f"give_up must be a number of seconds, 0 or more; got {seconds!r}")
