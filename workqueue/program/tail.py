"""5 tail: endless bytes -> their last 64 KiB as text, saying what was cut; pure. For a program's stderr."""

from collections.abc import Collection
from typing import Final

from workqueue.redaction import without_secrets

#: Enough for any traceback, and little enough to send to every client that waits for the job.
MAX_TAIL_BYTES: Final = 64 * 1024


class Tail:
    """Keeps the end of what it is fed. Not thread-safe: one owner.

    Args:
        size: how many bytes to keep.
        secrets: what must not be read in the text, nor any part of one that the cut has left.
    """

    def __init__(self, size: int = MAX_TAIL_BYTES, secrets: Collection[str] = ()) -> None:
        self._size = size
        self._secrets = secrets
        self._kept = bytearray()
        self._n_cut = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._kept += data
        # Cut in large steps: each moves what is kept.
        if len(self._kept) > 2 * self._size:
            self._cut()

    def text(self) -> str:
        """What is kept, as UTF-8 with replacements, behind a line that says how much is missing."""
        self._cut()
        # Here, since only this knows that there was a cut: who takes the secrets out of the text later finds them whole
        # or not at all, and one that the cut goes through is neither.
        text = self._kept.decode("utf-8", errors="replace")
        text = without_secrets(text, self._secrets, is_cut_before=self._n_cut > 0)
        return f"[{self._n_cut} bytes before this were cut]\n{text}" if self._n_cut else text

    def _cut(self) -> None:
        excess = len(self._kept) - self._size
        if excess > 0:
            del self._kept[:excess]
            self._n_cut += excess
