"""command: how a program was called, and the exit status with which it ends."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

#: EX_TEMPFAIL of sysexits.h: a mail server that is asked to try again later is told so by it.
RETRY_LATER: Final = 75


def arguments(*names: str) -> tuple[str, ...]:
    """The fields that this program was called with, and last the path of its output file.

    ::

        server, document_set_id, api_token, output = arguments("server", "document_set_id", "api_token")
        *fields, output = arguments()

    An argument named ``api_token`` that is empty is taken from the environment's WORKQUEUE_API_TOKEN, where a queue
    with ``token_in="env"`` puts it.

    Args:
        names: the fields', for the usage line, and to say how many there must be; none: as many as there are.

    Raises:
        SystemExit: with status 2, and a usage line on stderr: the number of arguments is wrong.
    """
    given = sys.argv[1:]
    if len(given) != len(names) + 1 if names else not given:
        fields = " ".join(name.upper() for name in names) if names else "[FIELD...]"
        program = os.path.basename(sys.argv[0])
        fail(f"usage: {program} {fields} OUTPUT_FILENAME (got {len(given)} arguments)", status=2)
    return (
        *(value or _from_environment(name) for name, value in zip(names, given, strict=False)),
        *given[len(names) :],
    )


def _from_environment(name: str) -> str:
    return os.environ.get("WORKQUEUE_API_TOKEN", "") if name.lower() == "api_token" else ""


def fail(why: str, *, status: int | None = None, retry_later: bool = False) -> NoReturn:
    """End this program, without a result: it cleans up, as it does for ``sys.exit``, and the job fails.

    In another thread than the main one it ends at once, and nothing is cleaned up.

    Args:
        why: for stderr, which becomes part of the job's error.
        status: the exit status, from 1 to 255; 1 if nothing is said.
        retry_later: exit with 75 instead: the same might succeed later, as when a server does not answer. A queue with
            retries runs the program again.

    Raises:
        SystemExit: always; but for the next two.
        TypeError: for a `status` beside `retry_later`.
        ValueError: for another `status`.
    """
    if retry_later and status is not None:
        raise TypeError("give fail one of status and retry_later")
    if status is None:
        status = RETRY_LATER if retry_later else 1
    if not 1 <= status <= 255:
        raise ValueError(f"status must be a whole number from 1 to 255; got {status!r}")
    try:
        print(why, file=sys.stderr, flush=True)  # noqa: T201 - it is what the caller wants
    except (AttributeError, OSError, ValueError):  # closed, or nobody reads it
        # What it holds back would be tried again at the end, and the exit status would be 120 (Py_FinalizeEx).
        sys.stderr = None
    _end_other_thread(status)
    raise SystemExit(status)


def _end_other_thread(status: int) -> None:
    """End the process, if this is not its main thread: there SystemExit ends the thread, and the status would be 0."""
    threading = sys.modules.get("threading")
    if threading is None or threading.current_thread() is threading.main_thread():
        return
    try:
        sys.stdout.flush()
    finally:
        os._exit(status)
