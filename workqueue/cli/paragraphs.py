"""paragraphs: how a help looks: paragraphs fill the line, and indented lines stay as they are."""

import argparse
import re
import shutil
import textwrap
from typing import Final

#: Longer lines are hard to read, however wide the terminal is.
_MAX_WIDTH: Final = 100


class Paragraphs(argparse.HelpFormatter):
    """Examples and tables are indented in the source of a help; all else is text.

    Args:
        prog: see `argparse.HelpFormatter`.
        width: of a line; None: the terminal's.
    """

    def __init__(self, prog: str, width: int | None = None) -> None:
        super().__init__(prog, width=width or min(_MAX_WIDTH, shutil.get_terminal_size().columns - 2))

    def start_section(self, heading: str | None) -> None:
        """See `argparse.HelpFormatter`. Its own headings have small letters, those of this library have not."""
        super().start_section(heading and heading.capitalize())

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = re.split(r"\n\s*\n", textwrap.dedent(text).strip())
        return "\n\n".join(textwrap.indent(_filled(block, width - len(indent)), indent) for block in blocks)


def _filled(block: str, width: int) -> str:
    return block if re.search(r"^\s", block, re.MULTILINE) else "\n".join(_wrapped(block, width))


def _wrapped(text: str, width: int) -> list[str]:
    # The name of an option, and a URL, stay whole.
    return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False, break_long_words=False)
