"""What the warden does by itself: it follows no link, whatever it removes; it needs nothing but an old Python."""

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from workqueue.program import warden_process
from workqueue.program.helper import source_of
from workqueue.program.warden_process import grant, open_directory, remove

#: Root passes all permissions; without these capabilities (of linux/capability.h) it is held to them as others are.
_AS_ANYBODY = """
import ctypes, os, sys
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
"""

_REMOVE = """
import os, sys
from workqueue.program.warden_process import remove
remove(os.fsencode(sys.argv[1]))
"""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of somebody's, with a file."""
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "file").write_text("theirs")
    directory.chmod(0o750)
    (directory / "file").chmod(0o640)
    return directory


def assert_untouched(outside: Path) -> None:
    assert (mode_of(outside), mode_of(outside / "file")) == (0o750, 0o640)
    assert (outside / "file").read_text() == "theirs"


@pytest.mark.parametrize("mode", [0o755, 0o555, 0o500, 0o300, 0o100, 0o000])
def test_a_directory_is_removed_whatever_its_program_made_of_its_permissions_and_no_link_is_followed(
    mode: int, outside: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    inner = run / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("ours")
    (inner / "file").chmod(0)
    for directory in (run, inner):
        (directory / "to directory").symlink_to(outside)
        (directory / "to file").symlink_to(outside / "file")
        (directory / "to nothing").symlink_to("nothing")
        os.mkfifo(directory / "fifo")
    inner.chmod(mode)
    run.chmod(mode)
    subprocess.run([sys.executable, "-c", _AS_ANYBODY, _REMOVE, str(run)], check=True)
    assert not run.exists()
    assert_untouched(outside)


def test_a_link_in_place_of_the_directory_is_not_followed(outside: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(outside)
    remove(os.fsencode(tmp_path / "run"))
    assert_untouched(outside)


def test_a_link_that_takes_the_place_of_a_directory_in_that_moment_is_not_followed(
    outside: Path, tmp_path: Path
) -> None:
    """A process that left its group may still be at work, between a look and what follows from it."""
    (tmp_path / "link").symlink_to(outside)
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            open_directory(parent, b"link")
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            grant(parent, b"link")
    finally:
        os.close(parent)
    assert_untouched(outside)


def test_a_directory_that_is_deeper_than_it_goes_costs_it_nothing_but_the_rest(tmp_path: Path) -> None:
    run = tmp_path / "run"
    deep = run / "/".join(["d"] * 300)
    deep.mkdir(parents=True)
    (run / "file").touch()
    n_open = len(list(Path("/dev/fd").iterdir()))
    remove(os.fsencode(run))
    assert not (run / "file").exists()
    assert deep.exists()
    assert len(list(Path("/dev/fd").iterdir())) == n_open


def test_what_is_not_there_is_no_matter(tmp_path: Path) -> None:
    remove(os.fsencode(tmp_path / "nothing" / "at" / "all"))


def test_its_source_is_ascii_and_fits_into_an_argument() -> None:
    """Decoded with whatever the locale says; Linux takes 128 KiB in one argument."""
    source = source_of(warden_process)
    assert source.isascii()
    assert len(source) < 64 * 1024


def test_it_imports_the_standard_library_alone() -> None:
    """It runs isolated and without site, by any Python that there is."""
    tree = ast.parse(source_of(warden_process), feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
