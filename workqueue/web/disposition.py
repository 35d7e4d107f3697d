"""7 disposition: a name for a file -> a Content-Disposition that is safe to send (RFC 6266, RFC 8187); pure."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

#: File systems take names of 255 bytes; a browser may add " (1)" to one.
_MAX_BYTES: Final = 200

# What separates directories, and what Windows has in no name.
_UNSAFE: Final = re.compile(r'[/\\:*?"<>|]')

#: Control characters, and those that turn the direction of the text, so that an .exe looks like a .txt.
_UNSEEN: Final = {"Cc", "Cf", "Co", "Cs"}

#: RFC 8187, section 3.2.1: what needs no escape.
_ATTR_CHARS: Final = "!#$&+-.^_`|~"


def content_disposition(name: str, *, inline: bool = False) -> str:
    """Have a browser save a file under a name, or show it and offer that name.

    Whatever could make it another directory's, a hidden file, or look like another name, is taken out of it.

    Args:
        name: of the file, from anybody.
        inline: whether the browser may show it.
    """
    kind = "inline" if inline else "attachment"
    name = safe_name(name)
    plain = _plain(name)
    value = f'{kind}; filename="{plain}"'
    return value if plain == name else f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"


def safe_name(name: str) -> str:
    """The name, without what is unsafe in one; ``result`` where nothing is left."""
    shown = "".join(
        char
        for char in unicodedata.normalize("NFC", " ".join(name.split()))
        if unicodedata.category(char) not in _UNSEEN
    )
    safe = _UNSAFE.sub("_", shown).strip(". ")
    if len(safe.encode()) > _MAX_BYTES:
        stem, dot, ending = safe.rpartition(".")
        if not stem or len(ending.encode()) > 16:
            stem, dot, ending = safe, "", ""
        room = _MAX_BYTES - len(f"{dot}{ending}".encode())
        safe = stem.encode()[:room].decode(errors="ignore").rstrip(". ") + dot + ending
    return safe or "result"


def _plain(name: str) -> str:
    """For clients that know no ``filename*``; some take a percent sign there for an escape (RFC 6266, appendix D)."""
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.sub(r'[^ -~]|[%"\\/:*?<>|]', "_", plain)
