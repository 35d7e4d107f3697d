"""drawing: a job's progress -> what rich draws of it: one line, as wide as the terminal. Needs the extra ``cli``."""

import re
import time

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from workqueue.progress import Progress
from workqueue.terminal.layout import arrange, times
from workqueue.terminal.remaining import Remaining
from workqueue.terminal.words import clock, describe, percent, roughly


class Drawing:
    """The line of one job. One thread tells it of the job; rich draws it in a thread of its own.

    Args:
        label: what is built.
    """

    def __init__(self, label: str) -> None:
        self._label = _plain(label)
        self._began = time.monotonic()
        self._remaining = Remaining()
        # One assignment puts all of it in place, so that the thread that draws sees no mixture.
        self._shown: tuple[Progress, float, str, float | None] = (Progress(), 0.0, "", None)

    def show(self, progress: Progress, now: float) -> None:
        """Draw this from now on.

        Args:
            progress: the newest event.
            now: from time.monotonic().
        """
        seconds = self._remaining.add(progress, now)
        # A job that has failed got no further than before, whatever its last event says.
        fraction = self._shown[1] if progress.error is not None else progress.fraction
        ended = None if progress.returncode is None else now
        self._shown = (progress, fraction, "" if seconds is None else f"{roughly(seconds)} left", ended)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich's "Console Protocol"."""
        yield self._line(options.max_width)

    def _line(self, width: int) -> Table:
        progress, fraction, remaining, ended = self._shown
        elapsed = clock((time.monotonic() if ended is None else ended) - self._began)
        told = times(width, elapsed, remaining)
        layout = arrange(width, self._label, told)
        is_known = progress.n_ahead_in_queue == 0 and describe(progress) != "starting"
        bar = ProgressBar(total=1.0, completed=fraction, width=layout.bar, pulse=not is_known)
        parts: tuple[RenderableType, ...] = (
            Text(self._label),
            bar,
            Text(percent(fraction) if is_known else "", style="progress.percentage"),
            Text(told, style="progress.elapsed"),
            Text(f" {_plain(describe(progress))}"),
        )
        shown = [(columns, part) for columns, part in zip(layout, parts, strict=True) if columns]
        # rich cuts the texts: it knows how wide it draws each character.
        columns = (Column(width=columns, no_wrap=True, overflow="ellipsis") for columns, _ in shown)
        table = Table.grid(*columns, padding=(0, 1, 0, 0))
        table.add_row(*(part for _, part in shown))
        return table


def _plain(text: str) -> str:
    """The text on one line, without what moves the cursor."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", text)
