r"""5 hints: a bad line -> what to print instead, in words for the program's author; pure.

For ``b"25%"`` it is "print 0.25: a fraction of 1, not a percentage". The rules come from what real programs print:
habits of other tools, other locales, progress bars meant for people. A hint repeats nothing of the line but a number.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from workqueue.program.escapes import plain_text
from workqueue.program.lines import MAX_LINE_BYTES
from workqueue.program.protocol import parse_line

#: How to get progress out of a program that draws tqdm's bars.
TQDM_FIX: Final = (
    "use `from workqueue.builder import tqdm`, or for a program of others `workqueue adapt tqdm -- COMMAND`"
)

# As much as a person prints before the point, and so little that no expression below takes long.
_LOOKED_AT_BYTES: Final = 400

_NUMBER: Final = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TQDM: Final = r"\d%\|[^|]*\| *\S+/\S+ \[|\d(?:it|B) \[\d+:\d\d"


class Hint(NamedTuple):
    """What to print instead of a bad line."""

    kind: str
    """What is wrong, in a word; the same for all lines of its kind."""

    text: str
    """What to do, without a full stop."""


def right_form(line: bytes) -> Hint | None:
    """Say what to print instead of a line that is no progress; None if it is like nothing we know."""
    if len(line) > MAX_LINE_BYTES:
        return None
    text = line[:_LOOKED_AT_BYTES].decode("utf-8", errors="replace")
    for kind, pattern, advise in _RULES:
        match = re.search(pattern, text, re.IGNORECASE)
        advice = None if match is None else advise(match)
        if advice is not None:
            return Hint(kind, advice)
    if _is_good_once_plain(text):
        return Hint(
            "escapes", "print the number and nothing else before the tab: no escape sequence, no byte order mark"
        )
    return None


def is_tqdm(line: str) -> bool:
    """Whether this is one of tqdm's bars."""
    return re.search(_TQDM, line[:_LOOKED_AT_BYTES]) is not None


def _is_good_once_plain(text: str) -> bool:
    number = plain_text(text.partition("\t")[0].encode()).lstrip("\ufeff")
    return parse_line(number.encode()) is not None


def _in_range(value: float) -> str | None:
    """A number as a program may print it; None when it is not between 0 and 1."""
    return f"{value:.4g}" if 0.0 <= value <= 1.0 else None


def _say(text: str) -> Callable[[re.Match[str]], str]:
    return lambda _: text


def _percentage(match: re.Match[str]) -> str | None:
    fraction = _in_range(float(match[1].replace(",", ".")) / 100)
    return None if fraction is None else f"print {fraction}: a fraction of 1, not a percentage"


def _foreign_percentage(match: re.Match[str]) -> str | None:
    advice = _percentage(match)
    return advice and f"{advice}; `workqueue adapt percent -- COMMAND` makes progress of such lines"


def _quotient(match: re.Match[str]) -> str | None:
    fraction = _in_range(int(match[1]) / max(1, int(match[2])))
    return None if fraction is None else f"print {fraction}: the quotient, not its two numbers"


def _comma(match: re.Match[str]) -> str | None:
    fraction = _in_range(float(f"{match[1]}.{match[2]}"))
    return fraction and f"print {fraction}: with a point, whatever the locale (LC_ALL=C makes printf and awk print one)"


def _no_tab(match: re.Match[str]) -> str | None:
    fraction = _in_range(float(match[1]))
    return fraction and "print a tab between the number and the message, such as printf '0.25\\tmessage\\n' does"


def _out_of_range(match: re.Match[str]) -> str | None:
    value = float(match[1])
    if value < 0.0:
        return "print a fraction from 0 to 1: not a negative one"
    if value < 1.01:
        return "print a fraction from 0 to 1: min(1, fraction) takes away what rounding adds"
    return "print a fraction from 0 to 1: what is done divided by all there is to do"


# Compiled by `re` when they are first needed, and kept there: all take 3 ms, which a program without bad lines saves.
_RULES: Final = (
    ("encoding", r"\x00", _say("print UTF-8: NUL bytes in a line are a sign of UTF-16")),
    ("tqdm", _TQDM, _say(f"tqdm draws its bars for people: {TQDM_FIX}")),
    (
        "ffmpeg",
        r"^frame= *\d|^out_time|^progress=(?:continue|end)|\btime=\d\d:\d\d:",
        _say("this is ffmpeg's: `workqueue adapt ffmpeg -- COMMAND` makes progress of such lines"),
    ),
    (
        "curl",
        r"^ *% Total +% Received|^\s+Dload +Upload|(?:--|\d\d?):(?:--|\d\d):(?:--|\d\d) +\d+[kMGTP]?\s*$",
        _say("this is curl's meter: `workqueue adapt percent -- curl --progress-bar ...` makes progress of it"),
    ),
    ("percentage", r"^\s*(\d{1,3}(?:[.,]\d+)?)\s?%\s*(?:\t|$)", _percentage),
    ("percentage", r"(?<![\d.,])(\d{1,3}(?:[.,]\d+)?)\s?%", _foreign_percentage),
    ("quotient", r"^\W*(\d{1,15})\s*(?:/|of)\s*(\d{1,15})\b", _quotient),
    ("comma", r"^\s*([01]?),(\d{1,30})(?!\d)", _comma),
    ("underscore", r"^\s*[\d.]*_[\d_.]*\s*(?:\t|$)", _say("print the number without an underscore")),
    ("digits", r"^\s*(?![0-9])\d", _say("print the digits of ASCII, 0 to 9, whatever the locale")),
    ("tab", rf"^\s*({_NUMBER})(?:\\t|\s*[:;,|-]|[^\S\t]+(?!\s|$))", _no_tab),
    ("range", rf"^\s*([+-]?{_NUMBER})\s*(?:\t|$)", _out_of_range),
    (
        "NaN",
        r"^\s*[+-]?(?:nan|inf)",
        _say("print a finite number: NaN and infinity come of a total that is 0 or unknown"),
    ),
    ("order", rf"\S\t\s*{_NUMBER}\s*$", _say("print the number first, then a tab, then the message")),
    ("empty", r"^\s*$", _say("print no empty line")),
)
