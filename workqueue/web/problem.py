"""7 problem: why a request is refused -> a status and a body that say so."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from workqueue.errors import InvalidParams, QueueClosed, QueueFull, WorkQueueError

#: Seconds after which a client that was turned away should ask again. When a place comes free depends on the programs;
#: this is often enough to be there soon, and rare enough that a thousand who wait are no load.
RETRY_AFTER: Final = 5


class Problem(WorkQueueError):
    """A request is refused. Raise it in `params` or `authorize` of the apps, for a refusal of your own.

    In a view of your own, `Problem.of` makes one of what `WorkQueue.ensure_run` raises; send its `status`, its
    `headers` and its `body()`.

    Args:
        status: of the response, 400 to 599. 401 comes with a WWW-Authenticate that makes no browser ask the person.
        detail: for the person who reads it: what is wrong, and what to do. It goes to the client: no secrets, no paths.
        headers: more headers of the response.
        members: more members of the body's object, for programs (RFC 9457, section 3.2).

    Raises:
        ValueError: for a status that is none, or none of an error, and for a header that cannot be sent.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        members: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(status, detail, dict(headers), dict(members))  # all arguments, so that it survives pickling
        self.status = HTTPStatus(status)
        if self.status < HTTPStatus.BAD_REQUEST:
            raise ValueError(f"a problem has a status from 400 to 599; got {status}")
        self.detail = detail
        self.members = dict(members)
        self.headers: dict[str, str] = {
            "Content-Type": "application/problem+json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if self.status is HTTPStatus.UNAUTHORIZED:
            # Not called Basic: a browser would ask the person for a name and a password, and remember them.
            self.headers["WWW-Authenticate"] = 'x-Basic realm="the API token as the user; any password"'
        for name, value in headers.items():
            if not _is_header(name, value):
                raise ValueError(f"a header of a problem must be printable Latin-1; got {name!r}: {value!r}")
            # In place of one of ours, which is written in a way of its own: of two, a browser would take either.
            self.headers = {ours: said for ours, said in self.headers.items() if ours.title() != name.title()}
            self.headers[name.title()] = value

    @classmethod
    def of(cls, error: WorkQueueError) -> "Problem":
        """What a refusal is in HTTP.

        Args:
            error: `InvalidParams`, which is status 400; `QueueFull` or `QueueClosed`: 503 with Retry-After; or a
                problem, which is returned as it is.

        Raises:
            TypeError: for any other error; what it says is the operator's to read, not the client's.
        """
        if isinstance(error, Problem):
            return error
        if isinstance(error, InvalidParams):
            return cls(HTTPStatus.BAD_REQUEST, error.for_client())
        if isinstance(error, QueueFull | QueueClosed):
            return cls(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": str(RETRY_AFTER)})
        raise TypeError(f"{type(error).__name__} refuses no request") from error

    def __str__(self) -> str:
        return f"{self.status.value} {self.status.phrase}: {self.detail}"

    def body(self) -> bytes:
        """Problem details in JSON (RFC 9457)."""
        status = self.status
        standard = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": self.detail}
        return json.dumps({**standard, **self.members}).encode()


def _is_header(name: str, value: str) -> bool:
    # Above all no line ends: what stands behind one would be a header, or a body, of its own.
    return bool(re.fullmatch(r"[\w-]+", name, re.ASCII) and re.fullmatch(r"[\t -~\xa0-\xff]*", value))
