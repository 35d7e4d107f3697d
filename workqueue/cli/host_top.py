"""What `workqueue top` shows of the processes of this host that share a storage: for programs, and for people.

It is read from the files that the processes share; no process is asked, and nothing is written.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workqueue.cli.quantities import shown_age
from workqueue.engines.base import Picture, SeenEnd, SeenRun
from workqueue.engines.host.picture import Pictures
from workqueue.engines.host.picture import pictures_of as host_pictures_of
from workqueue.errors import StorageError
from workqueue.progress import CANCELLED
from workqueue.storage.address import is_url

if TYPE_CHECKING:
    from rich.console import RenderableType

#: More than fit on a screen are for programs.
_MAX_WAITING: Final = 20
_MAX_ENDS: Final = 10

_BAR: Final = 20

Show = Callable[[Picture], None]


def pictures_of(storage: str) -> Pictures:
    """What takes pictures of a storage.

    Args:
        storage: what the user named.

    Raises:
        StorageError: see `workqueue.engines.host.picture.pictures_of`.
        ValueError: it is no directory; the text says what to do.
    """
    if is_url(storage):
        raise ValueError(
            f"{storage} is a bucket, and processes meet on their host; name the directory that the server gives its"
            " ObjectStorage"
        )
    if not os.path.isdir(storage):  # noqa: PTH112 - Path.is_dir may raise
        raise ValueError(f"there is no directory {storage}; name the storage_dir of a queue")
    return host_pictures_of(Path(storage))


def as_dict(picture: Picture) -> dict[str, Any]:
    """For programs; times are in seconds since the epoch."""
    return {
        "max_running": picture.max_running,
        "processes": picture.processes,
        "running": [_run(run) for run in picture.running],
        "waiting": [_run(run) for run in picture.waiting],
        "ends": [_end(end) for end in picture.ends],
    }


def shown(picture: Picture) -> str:
    """For people, where nothing can be drawn anew."""
    now = time.time()
    lines = [_summary(picture)]
    for run in picture.running:
        done = round(run.progress.fraction * _BAR)
        bar = "#" * done + "." * (_BAR - done)
        lines.append(f"  {run.key[:8]}  {run.progress.fraction:4.0%} [{bar}]  {_running(run, now)}".rstrip())
    lines += [f"  {run.key[:8]}  {_waiting(run, now)}".rstrip() for run in picture.waiting[:_MAX_WAITING]]
    lines += _more(len(picture.waiting) - _MAX_WAITING)
    lines += [f"  {end.key[:8]}  {_how(end)}, {_when(end, now)}".rstrip() for end in picture.ends[:_MAX_ENDS]]
    return "\n".join(lines)


def live() -> AbstractContextManager[Show | None]:
    """Draws pictures in one place of the terminal, with rich; None where that cannot be."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra, imported where it is used
        from rich.live import Live  # noqa: PLC0415
    except ImportError:
        return nullcontext()
    if not sys.stdout.isatty():
        return nullcontext()
    drawing = Live(console=Console(), auto_refresh=False)

    class _Drawing:
        def __enter__(self) -> Show:
            drawing.__enter__()
            return lambda picture: drawing.update(_drawn(picture), refresh=True)

        def __exit__(self, *error: Any) -> None:
            drawing.__exit__(*error)

    return _Drawing()


def _drawn(picture: Picture) -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415 - as above
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    now = time.time()
    table = Table.grid(padding=(0, 2))
    # As texts, not as strings: brackets in a message are not rich's.
    for run in picture.running:
        bar = ProgressBar(total=1.0, completed=run.progress.fraction, width=_BAR)
        share = Text(f"{run.progress.fraction:4.0%}")
        table.add_row(Text(run.key[:8]), share, bar, Text(_running(run, now), overflow="ellipsis", no_wrap=True))
    others = [f"{run.key[:8]}  {_waiting(run, now)}" for run in picture.waiting[:_MAX_WAITING]]
    others += [line.strip() for line in _more(len(picture.waiting) - _MAX_WAITING)]
    parts: list[RenderableType] = [Text(_summary(picture), style="bold"), table]
    parts += [Text(line, overflow="ellipsis", no_wrap=True) for line in others]
    for end in picture.ends[:_MAX_ENDS]:
        line = Text(f"{end.key[:8]}  ", overflow="ellipsis", no_wrap=True, style="dim")
        line.append(_how(end), style="green" if end.progress.returncode == 0 else "red")
        parts.append(line.append(f", {_when(end, now)}"))
    return Group(*parts)


def _run(run: SeenRun) -> dict[str, Any]:
    return {
        "key": run.key,
        "tenant": run.tenant,
        "n_ahead": run.n_ahead,
        "fraction": run.progress.fraction,
        "message": run.progress.message,
        "queued_at": run.queued_at,
        "began_at": run.began_at,
        "process": run.process,
    }


def _end(end: SeenEnd) -> dict[str, Any]:
    return {
        "key": end.key,
        "tenant": end.tenant,
        "returncode": end.progress.returncode,
        "error": end.progress.error,
        "queued_at": end.queued_at,
        "began_at": end.began_at,
        "ended_at": end.ended_at,
        "stderr": end.stderr,
    }


def _summary(picture: Picture) -> str:
    n = picture.processes
    processes = "" if n is None else "1 process, " if n == 1 else f"{n} processes, "
    most = "" if picture.max_running is None else f" of {picture.max_running}"
    return f"{processes}{len(picture.running)}{most} running, {len(picture.waiting)} waiting"


def _running(run: SeenRun, now: float) -> str:
    parts = [] if run.began_at is None else [shown_age(now - run.began_at)]
    parts += [f"process {run.process}"] if run.process else []
    parts += [_line(run.progress.message)] if run.progress.message else []
    return "  ".join(parts)


def _waiting(run: SeenRun, now: float) -> str:
    parts = [f"{run.n_ahead} ahead"]
    parts += [] if run.queued_at is None else [f"waits {shown_age(now - run.queued_at)}"]
    parts += [_line(run.progress.message)] if run.progress.message else []
    return "  ".join(parts)


def _more(n: int) -> list[str]:
    return [f"  ... and {n} more"] if n > 0 else []


def _how(end: SeenEnd) -> str:
    if end.progress.returncode == 0:
        return "built"
    return "cancelled" if end.progress.returncode == CANCELLED else "failed"


def _when(end: SeenEnd, now: float) -> str:
    text = f"{shown_age(now - end.ended_at)} ago"
    if end.began_at is not None:
        text += f", after {shown_age(end.ended_at - end.began_at)}"
    if end.progress.returncode in (0, CANCELLED):
        return text
    last = _line(end.stderr.rstrip().rpartition("\n")[2]) or _line((end.progress.error or "").partition("\n")[0])
    return f"{text}: {last}"


def _line(text: str | None) -> str:
    """Without what would move the cursor."""
    return "".join(c if c.isprintable() else " " for c in text or "")


def taker(pictures: Pictures) -> "Callable[[], Picture | str]":
    """A function that takes a picture, or returns why there is none."""

    def take() -> Picture | str:
        try:
            return pictures.take()
        except StorageError as err:
            return str(err)

    return take
