"""7 media_type: how a file's name ends -> its media type; pure."""

import mimetypes
from typing import Final

UNKNOWN: Final = "application/octet-stream"

#: What a file is once it is compressed: the type that its name also tells is the one of what comes out of it.
_COMPRESSED: Final = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "br": UNKNOWN,
    "compress": "application/x-compress",
}


def media_type_of(name: str) -> str:
    """What the module `mimetypes` knows of such names; texts are taken for UTF-8.

    Args:
        name: of a file, or how it ends, such as ``.mp4``.
    """
    media_type, encoding = mimetypes.guess_type(f"result{name}" if name.startswith(".") else name)
    if encoding is not None:
        return _COMPRESSED.get(encoding, UNKNOWN)
    if media_type is None:
        return UNKNOWN
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
