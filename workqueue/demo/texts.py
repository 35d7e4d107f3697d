"""Real texts to search: the standard library's own documentation, or the text files below a directory."""

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple


class Text(NamedTuple):
    """One text, before it becomes a document."""

    name: str
    """Where it comes from; unique within its source."""

    title: str
    body: str


class NoTextsError(ValueError):
    """There is nothing to make documents of; the text says where it was looked for."""


#: Folders of the standard library that hold tests, tools and data rather than things one looks up.
_SKIPPED_FOLDERS: Final = frozenset(
    {"dist-packages", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tests", "turtledemo"}
)

#: A docstring of one line tells a reader nothing.
_SHORTEST_BODY: Final = 100

_TEXT_SUFFIXES: Final = frozenset({".txt", ".md", ".rst"})


def texts_from_standard_library() -> list[Text]:
    """The language reference of `help()`, then the docstrings of each public module.

    Modules are parsed, never imported: some of them act on import. A Python without `pydoc_data` gives its
    docstrings alone.

    Returns:
        Several hundred texts, in a stable order.

    Raises:
        NoTextsError: this Python was installed without sources.
    """
    library = Path(sysconfig.get_path("stdlib"))
    texts = [*_topics(), *_modules(library)]
    if not texts:
        raise NoTextsError(f"no documentation in {library}; name a directory of text files instead")
    return texts


def texts_from_directory(directory: Path) -> list[Text]:
    """Every text file (.txt, .md, .rst) below a directory, named by its path below it.

    Raises:
        NoTextsError: it is not a directory, cannot be read, or holds no such file.
    """
    if not directory.is_dir():
        raise NoTextsError(f"no such directory: {directory}")
    paths = sorted(filter(_is_text, directory.rglob("*")))
    if not paths:
        raise NoTextsError(f"no text file (*.txt, *.md, *.rst) below {directory}")
    return [_read(path, directory) for path in paths]


def _is_text(path: Path) -> bool:
    return path.suffix.lower() in _TEXT_SUFFIXES and path.is_file()


def _read(path: Path, directory: Path) -> Text:
    name = path.relative_to(directory).as_posix().encode("utf-8", "replace").decode("utf-8")
    try:
        return Text(name, name, path.read_text(encoding="utf-8", errors="replace"))
    except OSError as err:
        raise NoTextsError(f"cannot read {path}: {err.strerror}") from err


def _topics() -> Iterator[Text]:
    try:
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
    except ImportError:
        return
    for name, body in sorted(topics.items()):
        yield Text(f"topic:{name}", body.strip().partition("\n")[0].strip('"') or name, body)


def _modules(library: Path) -> Iterator[Text]:
    for path in sorted([*library.glob("*.py"), *library.glob("*/*.py")]):
        name = _module_name(path.relative_to(library))
        if name and len(body := _docstrings(path)) >= _SHORTEST_BODY:
            yield Text(f"module:{name}", name, body)


def _module_name(path: Path) -> str | None:
    """`json/decoder.py` -> `json.decoder`; None for what is private or skipped."""
    parts = path.with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    skipped = any(part.startswith("_") or not part.isidentifier() for part in parts)
    return None if skipped or _SKIPPED_FOLDERS.intersection(parts) else ".".join(parts)


def _docstrings(path: Path) -> str:
    """A module's docstring and those of its public classes, methods and functions; empty if it has no syntax."""
    try:
        with warnings.catch_warnings(action="ignore"):
            module = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    return "\n\n\n".join([ast.get_docstring(module) or "", *_members(module, "")]).strip()


def _members(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    for member in node.body:
        if isinstance(member, ast.ClassDef | ast.FunctionDef) and not member.name.startswith("_"):
            name = prefix + member.name
            if docstring := ast.get_docstring(member):
                yield f"{name}\n\n{docstring}"
            if isinstance(member, ast.ClassDef):
                yield from _members(member, f"{name}.")
