"""5 redaction: text -> the same without what its reader must not see; pure.

A program may print the token that it was given, and an error of the system names the file it is about. The log is the
operator's and keeps the paths; what goes to clients has neither.
"""

import re
from collections.abc import Iterable
from typing import Final

#: The directories of an absolute path; not the `//` of a URL or what follows it.
_DIRECTORIES: Final = re.compile(r"(?<![\w:/.])/(?:[^\s/:;'\"]+/)*")


#: What is shorter can be guessed, and taking it out would garble every text.
MIN_SECRET: Final = 4


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret of at least MIN_SECRET characters replaced by three dots."""
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, "...")
    return text


def without_directories(text: str, known: Iterable[str] = ()) -> str:
    """The text with each absolute path cut to its last part.

    Args:
        text: an error of ours or of the system.
        known: directories that may stand in it; without this, one with a blank in its name would be cut in the middle.
    """
    for directory in known:
        text = text.replace(directory.rstrip("/") + "/", "/")
    return _DIRECTORIES.sub("", text)
