"""Real texts to search."""

import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue.demo.texts import NoTextsError, texts_from_directory, texts_from_standard_library


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A standard library of our own."""
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


def test_the_standard_library_gives_several_hundred_texts() -> None:
    found = texts_from_standard_library()
    by_title = {text.title: text.body for text in found}
    assert len(found) > 200
    assert len({text.name for text in found}) == len(found)
    assert "multi-consumer queue" in by_title["queue"]
    assert "json.decoder" in by_title
    assert not {"this", "antigravity"}.intersection(sys.modules)


def test_without_topics_the_docstrings_are_enough(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    (library / "shelf.py").write_text(f'"""{"Books. " * 20}"""\n')
    assert [text.title for text in texts_from_standard_library()] == ["shelf"]


def test_a_module_tells_its_public_names_and_is_not_run(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    source = [f'"""{"Books. " * 20}"""', "raise SystemExit", "class Shelf:", '  """Holds."""', "  def add(self):"]
    source += ['    """Put up."""', "def _hidden():", '  """Secret."""', "def bare(): pass", 'r = "\\d"']
    (library / "shelf.py").write_text("\n".join(source))
    (text,) = texts_from_standard_library()
    assert text.body.endswith("Shelf\n\nHolds.\n\n\nShelf.add\n\nPut up.")


def test_what_cannot_be_parsed_is_private_or_says_little_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, library: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    long = f'"""{"Books. " * 20}"""\n'
    for name, source in {"bad": "def", "_own": long, "short": '"""Hm."""', "odd-name": long}.items():
        (library / f"{name}.py").write_text(source)
    (library / "test").mkdir()
    (library / "test" / "inner.py").write_text(long)
    with pytest.raises(NoTextsError, match="no documentation in"):
        texts_from_standard_library()


def test_a_package_is_named_without_init(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    (library / "pack").mkdir()
    (library / "pack" / "__init__.py").write_text(f'"""{"Books. " * 20}"""\n')
    assert [text.title for text in texts_from_standard_library()] == ["pack"]


def test_a_directory_gives_its_text_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.MD").write_bytes(b"bad \xff byte")
    (tmp_path / "b.txt").write_text("b")
    (tmp_path / "c.rst").write_text("c")
    (tmp_path / "d.html").write_text("d")
    (tmp_path / "e.txt").mkdir()
    found = texts_from_directory(tmp_path)
    assert [(text.title, text.body) for text in found] == [
        ("b.txt", "b"),
        ("c.rst", "c"),
        ("sub/a.MD", "bad � byte"),
    ]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.rmdir(), "no such directory"),
        (lambda path: (path / "x.html").touch(), "no text file"),
    ],
)
def test_a_directory_without_texts_is_refused(tmp_path: Path, prepare: Callable[[Path], object], message: str) -> None:
    directory = tmp_path / "docs"
    directory.mkdir()
    prepare(directory)
    with pytest.raises(NoTextsError, match=message):
        texts_from_directory(directory)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("a")

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(NoTextsError, match=r"cannot read .*a\.txt: Permission denied"):
        texts_from_directory(tmp_path)
