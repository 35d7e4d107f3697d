"""The commands as root in the storage of another user: what they make there is that user's, who can go on with it."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.cli import main
from workqueue.engines.base import SeenEnd
from workqueue.engines.host.ends import Ends
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.line.shared import SharedLine
from workqueue.engines.host.notices import Notices
from workqueue.naming import Naming
from workqueue.progress import succeeded
from workqueue.storage import DiskStorage

#: Nobody's; a number without a name will do.
USER = 54321

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can use the storage of another user")


@contextmanager
def as_user() -> Iterator[None]:
    os.setegid(USER)
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def storage() -> Iterator[Path]:
    """The user's; not below tmp_path, where another user cannot come."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        storage = Path(directory, "storage")
        storage.mkdir()
        os.chown(storage, USER, USER)
        yield storage


def owners(directory: Path) -> set[tuple[int, int]]:
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in directory.rglob("*")}


def test_what_root_builds_is_the_users_who_may_evict_it(storage: Path, tmp_path: Path) -> None:
    program = write_program(tmp_path / "program", "echo built > $output")
    assert main(["run", str(program), "a", "--storage", str(storage)]) == 0
    key = Naming("program").key(("a",))
    assert (storage / key).stat().st_mode & 0o777 == 0o400
    assert owners(storage) == {(USER, USER)}
    with as_user():
        mine = DiskStorage(storage, max_bytes=0)
        with mine.open(key) as path:
            assert path.read_bytes() == b"built\n"
        os.utime(storage / key, (0, 0))
        assert [result.key for result in mine.evict()] == [key]


def test_roots_collection_keeps_the_user_from_nothing(storage: Path) -> None:
    key = "a" * 40
    (storage / key).write_bytes(b"built")
    os.chown(storage / key, USER, USER)
    os.utime(storage / key, (0, 0))
    dead = storage / ".tmp" / f"{key}.{'0' * 16}"
    dead.mkdir(parents=True)
    os.chown(dead.parent, USER, USER)
    assert main(["gc", str(storage), "--max-bytes", "0"]) == 0
    assert not dead.exists()
    assert not (storage / key).exists()
    assert owners(storage) == {(USER, USER)}
    with as_user():
        assert DiskStorage(storage, max_bytes=0).evict() == []


@pytest.mark.parametrize("command", ["run", "gc"])
def test_a_link_that_the_user_has_planted_leads_nowhere(
    storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    home = tmp_path / "home"
    (home / f"{'a' * 40}.{'0' * 16}").mkdir(parents=True)
    (storage / ".tmp").symlink_to(home)
    before = sorted(home.iterdir())
    arguments = ["run", "/bin/sh", "--storage", str(storage)] if command == "run" else ["gc", str(storage)]
    assert main(arguments) == 1
    assert ".tmp is a symbolic link" in capsys.readouterr().err
    assert sorted(home.iterdir()) == before


def test_roots_look_at_what_a_user_runs_changes_nothing(storage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "a" * 40
    with as_user():
        journals = Journals(storage / ".jobs")
        journals.prepare()
        line = SharedLine(storage / ".jobs" / ".line", 1, None, 1, lambda _: True)
        line.open()
        line.announce(line.enter("b" * 40))
        lead = journals.lead(key)
        assert lead is not None
        lead.start()
        Ends(storage / ".jobs").add(SeenEnd("c" * 40, "", succeeded(), None, None, time.time(), ""))
    try:
        before = {path: path.lstat().st_mtime_ns for path in storage.rglob("*")}
        assert main(["top", str(storage), "--once"]) == 0
        text = capsys.readouterr().out
        assert [letter for letter in "abc" if letter * 8 in text] == ["a", "b", "c"]
        assert {path: path.lstat().st_mtime_ns for path in storage.rglob("*")} == before
        assert owners(storage) == {(USER, USER)}
    finally:
        with as_user():
            lead.close()
            line.close()


def test_roots_cancel_is_heard_by_the_user(storage: Path) -> None:
    key = "a" * 40
    with as_user():
        journals = Journals(storage / ".jobs")
        journals.prepare()
        notices = Notices(storage / ".jobs")
        notices.open()
        lead = journals.lead(key)
        assert lead is not None
        lead.start()
    (storage / ".jobs" / ".cancelled").unlink()  # so that root makes it
    assert main(["cancel", str(storage), key, "--yes"]) == 0
    assert owners(storage) == {(USER, USER)}
    with as_user():
        assert notices.read() == [key]
        lead.close()
        notices.close()


@pytest.mark.parametrize("command", [("top", "--once"), ("cancel", "a", "--yes")])
def test_where_the_user_has_planted_a_link_root_neither_looks_nor_cancels(
    storage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (storage / ".jobs").symlink_to(home)
    name, *rest = command
    assert main([name, str(storage), *rest]) == 2
    assert ".jobs is a symbolic link" in capsys.readouterr().err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("command", [("top", "--once"), ("cancel", "a", "--yes")])
def test_another_users_storage_is_refused(
    storage: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    os.chown(storage, USER + 1, USER + 1)
    name, *rest = command
    with as_user():
        assert main([name, str(storage), *rest]) == 2
    assert f"belongs to user {USER + 1}" in capsys.readouterr().err
