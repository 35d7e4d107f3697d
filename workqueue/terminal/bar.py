"""bar: a job's progress -> a bar on a terminal, or plain lines anywhere else."""

import os
import sys
import time
from collections.abc import Iterable
from typing import TextIO

from workqueue.progress import Progress
from workqueue.terminal.words import describe, percent


def draw(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    """Show a stream until its end, and return its last event; None if there was none.

    A terminal gets a bar, drawn by rich, which the extra ``cli`` installs. Without rich, and on a terminal that cannot
    move its cursor (``TERM=dumb``), it gets plain lines, as a file and a pipe do.

    Args:
        stream: the events, as they come.
        label: what is built.
        file: where to show it, such as sys.stderr.
    """
    is_drawn = file.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"} and _has_rich()
    return _draw_bar(stream, label, file) if is_drawn else _print_lines(stream, label, file)


def _has_rich() -> bool:
    try:
        import rich.live  # noqa: F401, PLC0415 - an extra, imported where it is used
    except ImportError:
        print("For a progress bar: pip install 'overview-plugin-workqueue[cli]'", file=sys.stderr)
        return False
    return True


def _draw_bar(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.live import Live  # noqa: PLC0415

    from workqueue.terminal.drawing import Drawing  # noqa: PLC0415 - needs rich

    last, drawing = None, Drawing(label)
    with Live(drawing, console=Console(file=file), refresh_per_second=10):
        for last in stream:
            drawing.show(last, time.monotonic())
    return last


def _print_lines(stream: Iterable[Progress], label: str, file: TextIO) -> Progress | None:
    last, shown, fraction = None, "", 0.0
    for last in stream:
        # A job that has failed got no further than before, whatever its last event says.
        fraction = fraction if last.error is not None else last.fraction
        line = f"{label}: {percent(fraction)}  {describe(last)}"
        if line != shown:  # a heartbeat is no news
            print(line, file=file, flush=True)
            shown = line
    return last
