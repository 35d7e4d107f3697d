"""A path from a stranger stays in its directory."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from workqueue.system.descriptors import close_own
from workqueue.web.inside import open_inside, open_regular


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "index.html").write_text("index")
    (tree / "sub" / "a ü.txt").write_text("a")
    (tree / "link").symlink_to("index.html")
    (tree / "out").symlink_to("../secret")
    (tree / "up").symlink_to("..")
    os.mkfifo(tree / "pipe")
    return tree


def content(fd: int) -> str:
    try:
        return os.pread(fd, 100, 0).decode()
    finally:
        close_own(fd)


def test_files_are_found(tree: Path) -> None:
    assert content(open_inside(tree, "index.html")) == "index"
    assert content(open_inside(tree, "sub/a ü.txt")) == "a"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/",
        "sub",
        "sub/",
        "nothing",
        "index.html/",
        "index.html/x",
        "../secret",
        "sub/../index.html",
        "sub/../../secret",
        "./index.html",
        "sub//a ü.txt",
        "/etc/passwd",
        "link",
        "out",
        "up/secret",
        "up/tree/index.html",
        "pipe",
        "index.html\0",
        "\ud800",
        "a" * 300,
        "a/" * 5000 + "a",
    ],
)
def test_nothing_else_is_found_and_no_link_is_followed(tree: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError) as error:
        open_inside(tree, path)
    assert "secret" not in str(error.value)


def test_a_directory_that_becomes_a_link_leads_nowhere(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is renamed between two steps, once the first is open."""
    (tree.parent / "other").mkdir()
    (tree.parent / "other" / "a ü.txt").write_text("other")
    real_open: Callable[..., int] = os.open

    def swapping(path: str, flags: int, **more: int) -> int:
        if path == "a ü.txt" and (tree / "sub").is_dir() and not (tree / "sub").is_symlink():
            (tree / "sub").rename(tree / "old")
            (tree / "sub").symlink_to("../other")
        return real_open(path, flags, **more)

    monkeypatch.setattr(os, "open", swapping)
    assert content(open_inside(tree, "sub/a ü.txt")) == "a"
    with pytest.raises(FileNotFoundError):
        open_inside(tree, "sub/a ü.txt")


def test_what_may_not_be_read_is_no_missing_file(tree: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (tree / "index.html").chmod(0)
    with pytest.raises(PermissionError):
        open_inside(tree, "index.html")


def test_only_a_regular_file_is_opened(tree: Path) -> None:
    assert content(open_regular(tree / "index.html")) == "index"
    for name in ("sub", "pipe"):
        with pytest.raises(FileNotFoundError):
            open_regular(tree / name)
