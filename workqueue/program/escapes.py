r"""5 escapes: bytes meant for a terminal -> text for a page; pure.

``b"\x1b[31mred\x1b(B\x1b[m"`` becomes ``"red"``. Programs colour what they print, set a title, draw a hyperlink; a
message is shown on somebody's web page, where nothing of that may be left.

The grammar is that of ECMA-48 and xterm. It is read in time linear in the length, whatever a program makes of it.
"""

import re
from typing import Final

# What a string can hold: BEL ends an operating system command (OSC), but is part of the other strings. CAN, SUB and the
# escape of the next sequence end both, so a string that nobody ended takes the rest of its line at most.
_OSC_TEXT: Final = r"[^\x07\x18\x1a\x1b\x9c]*"
_STRING_TEXT: Final = r"[^\x18\x1a\x1b\x9c]*"

# The 8-bit forms stand for the two characters with ESC. Here they count only when they are complete, and with no other
# of their kind within: text that was encoded twice is full of these characters ("ß" is "Ã" and 0x9f), and must not be
# taken for the beginning of a string that swallows the message.
_C1_OSC_TEXT: Final = r"[^\x07\x18\x1a\x1b\x80-\x9f]*"
_C1_STRING_TEXT: Final = r"[^\x18\x1a\x1b\x80-\x9f]*"

_ESCAPES: Final = re.compile(
    "|".join(
        [
            r"\x1b\](?:R|P[0-9A-Fa-f]{7})",  # the Linux console's palette: an OSC that has no end
            rf"\x1b\]{_OSC_TEXT}(?:\x07|\x1b\\|\x9c)?",  # OSC: titles, hyperlinks
            rf"\x1b[PX^_k]{_STRING_TEXT}(?:\x1b\\|\x9c)?",  # DCS, SOS, PM, APC, and the title of a screen's window
            r"\x1b\[[0-?]*[ -/]*[@-~]?",  # CSI: colours, the cursor
            r"\x1b[NO][ -~]?",  # SS2, SS3: one character of another set
            r"\x1b[ -/]*[0-~]?",  # character sets, and all sequences of two characters
            rf"\x9d{_C1_OSC_TEXT}(?:\x07|\x1b\\|\x9c)",
            rf"[\x90\x98\x9e\x9f]{_C1_STRING_TEXT}(?:\x1b\\|\x9c)",
            r"\x9b[0-?]*[ -/]*[@-~]",
        ]
    )
)

# Of the rest go the control characters, the line and paragraph separators, and the marks that reverse the direction of
# what follows them on somebody's page.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain_text(printed: bytes) -> str:
    """Decode UTF-8, with replacements; take out escape sequences and control characters; make blanks of tabs."""
    text = printed.decode("utf-8", errors="replace").replace("\t", " ")
    if (
        _CONTROLS.search(text) is None
    ):  # each escape sequence begins with a control character, and few messages have any
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", text))
