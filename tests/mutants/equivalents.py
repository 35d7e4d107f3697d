"""equivalents: the changes that no test can see, or none should, as ``equivalents.toml`` names them."""

import tomllib
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("equivalents.toml")


class Equivalent(NamedTuple):
    """One of them."""

    module: str
    function: str
    before: str
    after: str
    reason: str

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What names the change: see `Mutant`."""
        return self.module, self.function, self.before, self.after


def read(path: Path = FILE) -> list[Equivalent]:
    """All that are listed.

    Raises:
        TypeError: an entry lacks a field, or has another.
    """
    return [Equivalent(**entry) for entry in tomllib.loads(path.read_text()).get("equivalent", [])]


def stale(equivalents: list[Equivalent], root: Path) -> list[Equivalent]:
    """Those that are about code which is no longer there, or give no reason."""
    return [item for item in equivalents if not item.reason.strip() or not _is_there(item, root)]


def _is_there(item: Equivalent, root: Path) -> bool:
    path = root / item.module
    return path.exists() and item.before in " ".join(path.read_text().split())


def entry(name: tuple[str, str, str, str], reason: str = "") -> str:
    """A change as it stands in the file, by `Mutant.name`."""
    fields = dict(zip(Equivalent._fields, (*name, reason), strict=True))
    return "\n".join(["[[equivalent]]", *(f"{name} = {_quoted(value)}" for name, value in fields.items()), ""])


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
