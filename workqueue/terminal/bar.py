"""A job's progress -> a bar on the terminal, or plain lines anywhere else."""

import sys
from collections.abc import Iterable
from typing import TextIO

from workqueue.progress import Progress


def draw(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    """Show a stream until its end, and return its last event; None if it had none.

    The bar is drawn with rich, the extra `cli`; without it a terminal gets plain lines too.

    Args:
        stream: the events, as they come.
        label: what is built.
        file: where to, such as sys.stderr.
    """
    return _draw_bar(stream, label, file) if file.isatty() and _has_rich() else _print_lines(stream, label, file)


def describe(progress: Progress) -> str:
    """Where things stand, in words."""
    if progress.error is not None:
        return "failed"
    if progress.returncode is not None:
        return "built"
    if progress.n_ahead_in_queue:
        wait = "" if progress.eta is None else f", starts in {_roughly(progress.eta)}"
        return f"waiting, {progress.n_ahead_in_queue} ahead in the queue{wait}"
    return progress.message or ("running" if progress.fraction else "starting")


def _roughly(seconds: float) -> str:
    """About how long that is; in the steps of the browser's element, so that a line for each is not one a second."""
    minutes = round(seconds / 60)
    if seconds < 50:
        return "less than a minute"
    if minutes < 10:
        return f"about {max(1, minutes)} min"
    if minutes < 58:
        return f"about {round(minutes / 5) * 5} min"
    return f"about {round(minutes / 60)} h"


def _has_rich() -> bool:
    try:
        import rich.progress  # noqa: F401, PLC0415 - an extra, imported where it is used
    except ImportError:
        print("For a progress bar: pip install 'overview-plugin-workqueue[cli]'", file=sys.stderr)
        return False
    return True


def _draw_bar(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    # Without markup: brackets in a message are not rich's.
    texts = (TextColumn(text, markup=False) for text in ("{task.fields[label]}", "{task.description}"))
    columns = (next(texts), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), next(texts))
    last = None
    with Bar(*columns, console=Console(file=file)) as bar:
        task = bar.add_task("", total=None, label=label)
        for last in stream:
            total = None if last.n_ahead_in_queue else 1.0
            bar.update(task, total=total, completed=last.fraction, description=describe(last))
    return last


def _print_lines(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    last, shown = None, ""
    for last in stream:
        line = f"{label}: {last.fraction:4.0%}  {describe(last)}"
        if line != shown:  # a heartbeat is no news
            print(line, file=file, flush=True)
            shown = line
    return last
