"""1 naming: whose result it is, and what it is about -> its key.

::

    WorkQueue("./process-docset.py", storage_dir="databases")                # by the program's name and all fields
    WorkQueue(..., version="2024-06")                                        # and by what is built
    WorkQueue(..., key=lambda params: (params.server, params.document_set_id))   # whoever's token asks

Two programs with one storage have results of their own, and an edited program builds anew as soon as its version says
so. Pure, callable from any thread.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from workqueue.params import Params, canonical, check_field

Key = Callable[[Params], Params]
"""From the parameters of a request, the fields that make a result: a tuple of strings."""

#: What every file system and command line takes, and no tool reads anything else into.
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9][A-Za-z0-9._+-]{0,30}")

#: Separates these hashes from every other use of BLAKE2 on the same bytes (RFC 7693, "personalization"). The number
#: changes with what is hashed: results with names of an older form are not found.
_PERSONS: Final = {"file": b"workqueue-key-3", "directory": b"workqueue-key-3d"}


class Naming(NamedTuple):
    """How a queue's results are named."""

    name: str
    """The program's."""

    version: str = ""
    """What distinguishes results of the same program and the same fields: a release, a schema's number, a hash."""

    fields: Key | None = None
    """Chooses the fields that make a result; None: all do."""

    form: Literal["file", "directory"] = "file"
    """What a result is: a queue that wants the one must not find the other."""

    def key(self, params: Params) -> str:
        """Name the result for these parameters: 40 hexadecimal digits, the same in every process.

        Each part is hashed behind its length, so ``("a", "bc")`` and ``("ab", "c")`` differ. The ``server`` of an
        OverviewViewParams is named in one way however it is spelled, for `fields` too:
        ``https://www.overviewdocs.com``, ``HTTPS://www.OverviewDocs.com:443/`` and the like are one.

        Raises:
            TypeError: `fields` returned no tuple of strings.
        """
        asked = canonical(params)
        chosen = asked if self.fields is None else _chosen(self.fields(asked))
        digest = hashlib.blake2b(digest_size=20, person=_PERSONS[self.form])
        for part in (self.name, self.version, *chosen):
            data = part.encode("utf-8")
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()


def _chosen(fields: object) -> Params:
    """What a user's function returned, if it can be hashed."""
    if not isinstance(fields, tuple) or not all(isinstance(field, str) for field in fields):
        raise TypeError(f"key must return a tuple of strings; got {type(fields).__name__}")
    return fields


def name_of(command: Sequence[str]) -> str:
    """The name of a program that was given none: that of its file, so that it is the same on every host.

    For a command, that of the Python script or module in it. One that holds neither is all its words.
    """
    # No pathlib here, and no dataclasses above: a process that imports the package alone would load them for this.
    words = [os.path.basename(word.rstrip("/")) or word for word in command]  # noqa: PTH119
    script = next((word for word in words if word.endswith(".py")), None)
    if script is not None:
        return script
    module = words.index("-m") + 1 if "-m" in words else len(words)
    return words[module] if module < len(words) else " ".join(words)


def check_naming(naming: Naming) -> None:
    """Refuse what names no program.

    Raises:
        TypeError: `fields` cannot be called, or a text is none.
        ValueError: a name that is empty, or a text that no file and no argument can hold.
    """
    if naming.fields is not None and not callable(naming.fields):
        raise TypeError(f"key must be a function of the parameters; got {type(naming.fields).__name__}")
    for option, text in (("name", naming.name), ("version", naming.version)):
        if not isinstance(text, str):
            raise TypeError(f"{option} must be a string; got {type(text).__name__}")
        check_field(option, text)
    if not naming.name:
        raise ValueError("name must not be empty; leave it out to have the program's file name")


def check_suffix(suffix: object) -> None:
    """Refuse what cannot be the end of a file's name.

    Raises:
        ValueError: with what it must be.
    """
    if suffix != "" and not (isinstance(suffix, str) and _SUFFIX.fullmatch(suffix)):
        raise ValueError(
            "suffix must be a dot and then up to 31 letters (A to Z), digits, '.', '_', '+' or '-', such as '.mp4';"
            f" got {suffix!r}"
        )
