r"""adapters: the progress that other programs print -> Progress; pure.

Each adapter is given one line after the other, without its end. A line is what stands between two ``\n`` or ``\r``,
since a bar is drawn again over itself. The adapter returns the progress that the line shows, or None: then the line is
something else, which a person may have to read. What is printed is never trusted: only short lines are looked at, and
no pattern here takes more than a few steps for each character.
"""

import re
from collections.abc import Callable
from typing import Final, Protocol

from workqueue.progress import Progress

#: Bars are as wide as a terminal.
MAX_BYTES: Final = 4096

# Escape sequences, which move the cursor and colour the text.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]")
_UP: Final = "\x1b[A"


class Adapter(Protocol):
    """Reads the lines of one command. Not thread-safe: one owner."""

    def read(self, text: str, *, is_whole: bool, is_new_row: bool) -> Progress | None:
        """Return the progress that a line shows, if it shows any.

        Args:
            text: the line.
            is_whole: whether its end has come; if not, more of it may follow, and it is read again.
            is_new_row: whether the line before it ended with a newline; if not, this line is drawn over that one.
        """
        ...


class Tqdm:
    """``Reading:  25%|##   | 3/12 [00:01<00:03,  2.99it/s, loss=0.1]``.

    A bar below another one shows how far the current item of that one is. After such a bar, tqdm moves the cursor up,
    once for each bar above it.
    """

    _BAR: Final = re.compile(r"([0-9]{1,3})%\|")
    _NUMBERS: Final = re.compile(r"\| ?([^\s|/]{1,30})/([^\s|/]{1,30}) \[([^\]]{0,1000})\]$")
    #: Without a total: ``3it [00:01,  2.99it/s]``.
    _COUNT: Final = re.compile(r"(?:^|: )([0-9.]{1,30}[A-Za-z]{1,12}) \[([0-9:]{1,12}, [^\]]{1,1000})\]$")

    def __init__(self) -> None:
        # How far each bar is, the outermost first: how much is done, and what share one item is.
        self._bars: list[tuple[float, float]] = []
        self._fraction = 0.0

    def read(self, text: str, *, is_whole: bool, is_new_row: bool) -> Progress | None:
        """See `Adapter`."""
        depth = min(text.count(_UP), 16)
        if is_new_row and not is_whole and not depth:
            return None  # it may be a bar below another: how the cursor moves next tells
        text = _ESCAPES.sub("", text).rstrip()
        bar = self._BAR.search(text)
        if bar is None:
            count = self._COUNT.search(text)
            if count is None:
                return None
            return Progress(fraction=self._fraction, message=_told(text[: count.start()], count[1], count[2]))
        numbers = self._NUMBERS.search(text, bar.end())
        if numbers is None:
            return None
        self._place(depth, float(bar[1]) / 100, _number(numbers[1]), _number(numbers[2]))
        told = f"{numbers[1]}/{numbers[2]}"
        return Progress(fraction=self._fraction, message=_told(text[: bar.start()], told, numbers[3]))

    def _place(self, depth: int, percent: float, n: float | None, total: float | None) -> None:
        done, share = percent, 0.0
        if n is not None and total and 0 <= n <= total:
            done, share = n / total, 1 / total
        # A bar that moves begins those below it anew; one that is only drawn again does not.
        if self._bars[depth : depth + 1] != [(done, share)]:
            self._bars[depth:] = [(done, share)]
        fraction = 0.0
        for outer_done, outer_share in reversed(self._bars):
            fraction = outer_done + outer_share * fraction
        self._fraction = _bounded(fraction)


def _told(desc: str, numbers: str, stats: str) -> str:
    """The message of a bar: its text without the times and rates, which are old when they are read."""
    desc = desc.strip().removesuffix(":")
    postfix = stats.split(", ", 2)[2:]
    return f"{desc}: {', '.join([numbers, *postfix])}" if desc else ", ".join([numbers, *postfix])


class Percent:
    """``Receiving objects:  42% (123/292)``, ``[3/12] Compiling``, ``Indexed 3 of 12``: the first number counts."""

    _PERCENT: Final = re.compile(r"(?<![\w.,-])([0-9]{1,3})(?:[.,]([0-9]{1,9}))? ?%")
    #: Not a date or a path.
    _OF: Final = re.compile(r"(?<![\w./,-])([0-9]{1,15}) ?(?:/| of ) ?([0-9]{1,15})(?![\w/]|[.,][0-9])")

    def read(self, text: str, *, is_whole: bool, is_new_row: bool) -> Progress | None:  # noqa: ARG002 - rows are alike
        """See `Adapter`."""
        text = _ESCAPES.sub("", text)
        fraction = self._percent(text)
        # The number at the end of a line that goes on may go on itself.
        if fraction is None:
            fraction = self._of(text, len(text) if is_whole else len(text) - 1)
        return None if fraction is None else Progress(fraction=fraction, message=text.strip())

    def _percent(self, text: str) -> float | None:
        for match in self._PERCENT.finditer(text):
            value = float(f"{match[1]}.{match[2] or 0}")
            if value <= 100:
                return value / 100
        return None

    def _of(self, text: str, end: int) -> float | None:
        for match in self._OF.finditer(text):
            n, total = int(match[1]), int(match[2])
            if 0 <= n <= total and total > 0 and match.end() <= end:
                return n / total
        return None


class Ffmpeg:
    """What ffmpeg prints, with ``-progress`` or without: how much it has written of its longest input's duration."""

    _DURATION: Final = re.compile(r"^\s{0,8}Duration: ([0-9]{1,6}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")
    _TIME: Final = re.compile(r"\btime=\s{0,4}([0-9]{1,6}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")
    _SPEED: Final = re.compile(r"\bspeed=\s{0,8}([0-9.e+]{1,16}x)")
    _STATS: Final = re.compile(r"^(?:frame=|size=|Lsize=).{0,400}\btime=")
    _PAIR: Final = re.compile(
        r"^(frame|fps|stream_[0-9]{1,4}_[0-9]{1,4}_[a-z]{1,8}|bitrate|total_size|out_time|out_time_us|out_time_ms"
        r"|dup_frames|drop_frames|speed|progress)=\s{0,16}(\S{0,100})\s{0,16}$"
    )

    def __init__(self) -> None:
        self._duration = 0.0
        self._at = 0.0
        self._speed = ""

    def read(self, text: str, *, is_whole: bool, is_new_row: bool) -> Progress | None:  # noqa: ARG002 - rows are alike
        """See `Adapter`."""
        if duration := self._DURATION.match(text):
            if is_whole:
                self._duration = max(self._duration, _seconds(duration))
            return None  # a person reads it among the rest
        if self._STATS.match(text):
            return self._stats(text)
        pair = self._PAIR.match(text)
        return self._pair(pair[1], pair[2]) if pair and is_whole else None

    def _stats(self, text: str) -> Progress:
        if at := self._TIME.search(text):  # N/A, and below 0, at first
            self._at = _seconds(at)
        if speed := self._SPEED.search(text):
            self._speed = speed[1]
        return self._progress()

    def _pair(self, key: str, value: str) -> Progress:
        number = _number(value)
        # Both are in microseconds, whatever the name of the second says.
        if key in ("out_time_us", "out_time_ms") and number is not None:
            self._at = max(0.0, number / 1e6)
        elif key == "speed":
            self._speed = value if value.endswith("x") else ""
        elif (key, value) == ("progress", "end"):
            self._at = max(self._at, self._duration)
        return self._progress()

    def _progress(self) -> Progress:
        fraction = _bounded(self._at / self._duration) if self._duration else 0.0
        texts = [_clock(self._at)]
        if self._duration:
            texts += ["of", _clock(self._duration)]
        if self._speed:
            texts += [f"at {self._speed}"]
        return Progress(fraction=fraction, message=" ".join(texts))


ADAPTERS: Final[dict[str, Callable[[], Adapter]]] = {"tqdm": Tqdm, "percent": Percent, "ffmpeg": Ffmpeg}


def _number(text: str) -> float | None:
    """A plain, finite number; None for what has a unit."""
    return float(text) if re.fullmatch(r"-?[0-9]{1,18}(?:\.[0-9]{0,18})?", text) else None


def _bounded(fraction: float) -> float:
    return min(max(fraction, 0.0), 1.0)


def _seconds(clock: re.Match[str]) -> float:
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])


def _clock(seconds: float) -> str:
    whole = int(min(seconds, 1e9))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
