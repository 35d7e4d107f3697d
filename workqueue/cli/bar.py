"""bar: a job's progress -> a bar on the terminal, or plain lines anywhere else; on stderr, which is for people."""

import sys
from collections.abc import Iterable

from workqueue.progress import Progress


def draw(stream: Iterable[Progress], label: str) -> Progress:
    """Show a stream until its end, and return its last event.

    The bar is drawn with rich, the extra `cli`; without it a terminal gets plain lines too.
    """
    return _draw_bar(stream, label) if sys.stderr.isatty() and _has_rich() else _print_lines(stream, label)


def describe(progress: Progress) -> str:
    """Where things stand, in words."""
    if progress.error is not None:
        return "failed"
    if progress.returncode is not None:
        return "built"
    if progress.n_ahead_in_queue:
        return f"waiting, {progress.n_ahead_in_queue} ahead in the queue"
    return progress.message or ("running" if progress.fraction else "starting")


def _has_rich() -> bool:
    try:
        import rich.progress  # noqa: F401, PLC0415 - an extra, imported where it is used
    except ImportError:
        print("For a progress bar: pip install 'overview-plugin-workqueue[cli]'", file=sys.stderr)
        return False
    return True


def _draw_bar(stream: Iterable[Progress], label: str) -> Progress:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.fields[label]}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    last = Progress()
    with Bar(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, label=escape(label))
        for last in stream:
            total = None if last.n_ahead_in_queue else 1.0
            bar.update(task, total=total, completed=last.fraction, description=escape(describe(last)))
    return last


def _print_lines(stream: Iterable[Progress], label: str) -> Progress:
    last, shown = Progress(), ""
    for last in stream:
        line = f"{label}: {last.fraction:4.0%}  {describe(last)}"
        if line != shown:
            print(line, file=sys.stderr, flush=True)
            shown = line
    return last
