"""What stdout does with a character that its encoding lacks."""

import codecs
import io
import sys
from typing import Final

_NAME: Final = "workqueue.cli"


def print_everything() -> None:
    """Let stdout take every text: a path that is not UTF-8 as its bytes, another character as an escape sequence.

    By default, a report that quotes such a character ends with a UnicodeEncodeError: under en_US.ISO-8859-1, say.
    """
    codecs.register_error(_NAME, _escape)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_NAME)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)
