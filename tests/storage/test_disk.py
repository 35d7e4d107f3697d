"""Results are published whole or not at all, and what runs leave behind is removed."""

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from tests.conftest import InOwnMounts, write_program
from tests.program.ordeal import Ordeal
from workqueue import Progress, State, WorkQueue
from workqueue.errors import OutputError, StorageError
from workqueue.redaction import without_directories
from workqueue.storage import DiskStorage, runs
from workqueue.storage import output as output_module
from workqueue.testing import ManualEngine, ScriptedProgram, collect, output, wait

MakeQueue = Callable[..., WorkQueue]

JOURNAL = (
    "invalid program: it left an SQLite journal beside its output file;"
    " it must commit and close the database before it exits"
)


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


def publish(storage: DiskStorage, key: str, data: bytes = b"built") -> None:
    with storage.workspace(key) as workspace:
        workspace.output.write_bytes(data)
        workspace.publish()


def error_of(queue: WorkQueue, *arguments: str) -> str:
    """The error of a job that cannot be stored, which leaves nothing behind."""
    job = queue.ensure_run(arguments)
    assert job is not None
    last = job.wait(10)
    assert (job.state, last.returncode, job.n_watchers) == (State.FAILED, -999, 0)
    assert last.error is not None
    return last.error


def mend_and_run(queue: WorkQueue, *arguments: str) -> None:
    """The same parameters run again, in a new job, and are built."""
    job = queue.ensure_run(arguments)
    assert job is not None
    assert job.wait(10) == Progress(fraction=1.0, returncode=0)
    assert queue.ensure_run(arguments) is None


# Publishing


def test_a_result_is_read_only_for_its_owner_whatever_the_umask(storage: DiskStorage) -> None:
    umask = os.umask(0)
    try:
        publish(storage, "key")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(storage.path("key").stat().st_mode) == 0o400
    assert stat.S_IMODE((storage.directory / ".tmp").stat().st_mode) == 0o700


def test_a_storage_can_have_results_that_a_group_may_read(tmp_path: Path) -> None:
    storage = DiskStorage(tmp_path, mode=0o440)
    publish(storage, "key")
    assert stat.S_IMODE(storage.path("key").stat().st_mode) == 0o440


def test_a_workspace_is_private_and_empty_and_gone_afterwards(storage: DiskStorage) -> None:
    with storage.workspace("key") as workspace:
        status = workspace.output.lstat()
        assert (stat.S_IMODE(status.st_mode), status.st_size) == (0o600, 0)
        assert stat.S_IMODE(workspace.output.parent.stat().st_mode) == 0o700
        assert not storage.has("key")
    assert not workspace.output.parent.exists()
    assert not storage.has("key")


def test_the_directory_that_a_program_is_to_fill_is_private_and_empty_whatever_the_umask(storage: DiskStorage) -> None:
    umask = os.umask(0)
    try:
        with storage.workspace("key", form="directory") as workspace:
            assert stat.S_IMODE(workspace.output.lstat().st_mode) == 0o700
            assert list(workspace.output.iterdir()) == []
    finally:
        os.umask(umask)


def test_an_existing_result_is_replaced_and_whole_at_every_moment(storage: DiskStorage) -> None:
    """Who has the old one open reads it to its end."""
    publish(storage, "key", b"old")
    with storage.path("key").open("rb") as old:
        publish(storage, "key", b"new")
        assert old.read() == b"old"
    assert storage.path("key").read_bytes() == b"new"


def test_what_was_not_published_does_not_touch_an_existing_result(storage: DiskStorage) -> None:
    publish(storage, "key", b"old")
    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"half of the n")
        assert storage.path("key").read_bytes() == b"old"
    assert storage.path("key").read_bytes() == b"old"


def test_a_program_may_put_another_file_in_place_of_the_one_it_was_given(make_queue: MakeQueue, tmp_path: Path) -> None:
    text = 'echo built > "$output.new"; chmod 666 "$output.new"; mv "$output.new" "$output"'
    queue = make_queue(write_program(tmp_path / "program", text))
    mend_and_run(queue, "a")
    result = queue.destination_path_for_params(("a",))
    assert (result.read_text(), stat.S_IMODE(result.stat().st_mode)) == ("built\n", 0o400)


def test_a_file_is_synced_before_it_gets_its_name_and_the_directory_after(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    calls = mocker.Mock()
    for name in ("fchmod", "fsync", "replace"):
        calls.attach_mock(mocker.patch(f"os.{name}", wraps=getattr(os, name)), name)
    publish(storage, "key")
    assert [call[0] for call in calls.mock_calls] == ["fchmod", "fchmod", "fsync", "replace", "fsync"]


def test_a_link_or_a_directory_in_place_of_a_result_is_none(storage: DiskStorage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file of somebody else")
    (storage.directory / "directory").mkdir(parents=True)
    (storage.directory / "link").symlink_to(tmp_path / "file")
    assert not storage.has("directory")
    assert not storage.has("link")
    assert not storage.has("x" * 300)
    publish(storage, "link")
    assert storage.has("link")
    assert (tmp_path / "file").read_text() == "a file of somebody else"


# What a program leaves that is no result


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("exit 0", "invalid program: it should have written to its output file"),
        ('echo x > "$output"; : > "$output"', "invalid program: it should have written to its output file"),
        ('rm "$output"', "Failed to stat output file: [Errno 2] No such file or directory: '*'"),
        ('rm -r "$(dirname "$output")"', "Failed to stat output file: [Errno 2] No such file or directory: '*'"),
        (
            'rm "$output"; mkdir "$output"',
            "invalid program: its output file must be a regular file; it left a directory",
        ),
        (
            'rm "$output"; ln -s /etc/hostname "$output"',
            "invalid program: its output file must be a regular file; it left a link, pipe or device",
        ),
        (
            'rm "$output"; ln -s nothing "$output"',
            "invalid program: its output file must be a regular file; it left a link, pipe or device",
        ),
        (
            'rm "$output"; mkfifo "$output"',
            "invalid program: its output file must be a regular file; it left a link, pipe or device",
        ),
        ('echo x > "$output"; echo x > "$output-wal"', JOURNAL),
        ('echo x > "$output"; echo x > "$output-journal"', JOURNAL),
        (
            'chmod 000 "$(dirname "$output")"',
            "invalid program: it should have written to its output file"
            if os.geteuid() == 0
            else "Failed to stat output file: [Errno 13] Permission denied: '*'",
        ),
    ],
)
def test_an_exit_with_0_and_no_result_fails_with_the_reason(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: str, error: str
) -> None:
    ordeal = Ordeal(make_queue, tmp_path, bad)
    text = ordeal.fail("a")[-1].error
    assert text is not None
    # The words of 1.0.1: as if the program had exited with the status that none exits with.
    reason = text.removeprefix("Exited with code -999\nstderr:\n")
    assert reason != text
    before, star, after = error.partition("*")
    assert reason == error if not star else reason.startswith(before) and reason.endswith(after)
    assert [(record.name, record.levelno, without_directories(record.getMessage())) for record in caplog.records] == [
        ("workqueue", logging.WARNING, reason),
        ("workqueue", logging.WARNING, without_directories(caplog.records[1].getMessage())),
    ]


def test_an_empty_journal_beside_the_output_is_no_harm(make_queue: MakeQueue, tmp_path: Path) -> None:
    queue = make_queue(write_program(tmp_path / "program", 'echo x > "$output"; : > "$output-wal"'))
    mend_and_run(queue, "a")


@pytest.mark.parametrize("mode", ["wal", "persist"])
def test_a_database_that_a_program_did_not_close_is_no_result(make_queue: MakeQueue, tmp_path: Path, mode: str) -> None:
    """A real SQLite database, its writer killed in the middle; its program then claims success."""
    code = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        f"db.execute('PRAGMA journal_mode={mode}'); db.execute('PRAGMA cache_size=1');"
        "db.execute('CREATE TABLE t (x)'); db.execute('BEGIN');"
        "db.executemany('INSERT INTO t VALUES (?)', [('x' * 1000,)] * 1000); os.kill(os.getpid(), 9)"
    )
    ordeal = Ordeal(make_queue, tmp_path, f'"{sys.executable}" -c "{code}" "$output" 2>&-; exit 0')
    assert ordeal.fail("a")[-1].error == f"Exited with code -999\nstderr:\n{JOURNAL}"


WAL = (
    "invalid program: its output file is an SQLite database in WAL mode, which nobody can read without writing files"
    " beside it; it must execute PRAGMA journal_mode=DELETE before it closes the database"
)


def database_program(path: Path, mode: str, at_end: str = "pass") -> Path:
    """A program that leaves a database that it closed."""
    code = (
        f"import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA journal_mode={mode}');"
        f"db.execute('CREATE TABLE t (x)'); db.commit(); {at_end}; db.close()"
    )
    return write_program(path, f'"{sys.executable}" -c "{code}" "$output"')


@pytest.mark.parametrize("mode", ["delete", "truncate", "memory", "off"])
def test_a_database_that_was_closed_is_a_result(make_queue: MakeQueue, tmp_path: Path, mode: str) -> None:
    mend_and_run(make_queue(database_program(tmp_path / "program", mode)), "a")


def test_a_database_in_wal_mode_is_no_result_and_is_one_with_the_pragma_that_the_error_names(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    queue = make_queue(database_program(tmp_path / "program", "wal"))
    assert error_of(queue, "a") == f"Exited with code -999\nstderr:\n{WAL}"
    pragma = re.search("PRAGMA [^ ]+", WAL)
    assert pragma is not None
    database_program(tmp_path / "program", "wal", f"db.execute('{pragma[0]}')")
    mend_and_run(queue, "a")
    result = queue.destination_path_for_params(("a",))
    with contextlib.closing(sqlite3.connect(f"file:{result}?mode=ro", uri=True)) as database:
        assert database.execute("SELECT * FROM t").fetchall() == []
    assert [path for path in queue.storage_dir.iterdir() if "-" in path.name] == []


@pytest.mark.parametrize("start", [b"SQLite format 2\0" + bytes([0, 0, 2, 2]), b"SQLite format 3\0", b"\2" * 20])
def test_what_only_looks_like_a_database_in_wal_mode_is_a_result(storage: DiskStorage, start: bytes) -> None:
    publish(storage, "key", start)
    assert storage.path("key").read_bytes() == start


def test_a_duckdb_database_that_was_not_closed_is_no_result(storage: DiskStorage) -> None:
    """By the bytes of a real one; DuckDB itself takes 60 MB."""
    database = bytes.fromhex("0102030405060708") + b"DUCK" + bytes(100)
    log = "it left a DuckDB log (.wal) beside its output file; it must close the database before it exits"
    with storage.workspace("key", ".duckdb") as workspace:
        beside = workspace.output.with_name("out.duckdb.wal")
        workspace.output.write_bytes(database)
        beside.write_bytes(b"what was not written yet")
        with pytest.raises(OutputError, match=re.escape(log)):
            workspace.publish()
        beside.write_bytes(b"")
        workspace.publish()
    with storage.workspace("another") as workspace:  # what is no database may have such a file beside it
        workspace.output.write_bytes(b"x" * 100)
        workspace.output.with_name("out.wal").write_bytes(b"x")
        workspace.publish()
    assert storage.path("key").read_bytes() == database


def test_a_result_that_was_linked_out_of_a_cache_is_not_what_the_cache_becomes(
    make_queue: MakeQueue, tmp_path: Path
) -> None:
    """The program's own file stays as it was, too: it can be written to, and has its time."""
    cache = tmp_path / "cache"
    cache.write_text("version 1")
    cache.chmod(0o640)
    os.utime(cache, (1000.0, 1000.0))
    text = f'[ "$1" = b ] && {{ echo "version 2" > "{cache}" || exit 7; }}; ln -f "{cache}" "$output"'
    queue = make_queue(write_program(tmp_path / "program", text))
    mend_and_run(queue, "a")
    assert (stat.S_IMODE(cache.stat().st_mode), cache.stat().st_mtime, cache.stat().st_nlink) == (0o640, 1000.0, 1)
    mend_and_run(queue, "b")
    results = [queue.destination_path_for_params((name,)) for name in "ab"]
    assert [path.read_text() for path in results] == ["version 1", "version 2\n"]
    assert {(stat.S_IMODE(path.stat().st_mode), path.stat().st_nlink) for path in results} == {(0o400, 1)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_an_output_of_another_user_becomes_ours(storage: DiskStorage) -> None:
    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"built")
        os.chown(workspace.output, 12345, -1)
        workspace.publish()
    assert (storage.path("key").read_bytes(), storage.path("key").stat().st_uid) == (b"built", 0)


MOUNTED = """
import subprocess, sys
from pathlib import Path
from workqueue.storage import DiskStorage
elsewhere, directory = map(Path, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", elsewhere], check=True)
(elsewhere / "file").write_text("built")
with DiskStorage(directory).workspace("key") as workspace:
    subprocess.run(["mount", "--bind", elsewhere / "file", workspace.output], check=True)
    workspace.publish()
    subprocess.run(["umount", workspace.output], check=True)
"""


def test_an_output_in_another_file_system_is_copied_out_of_it(in_own_mounts: InOwnMounts, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    in_own_mounts(sys.executable, "-c", MOUNTED, tmp_path / "elsewhere", tmp_path / "results")
    result = tmp_path / "results" / "key"
    assert (result.read_text(), stat.S_IMODE(result.stat().st_mode)) == ("built", 0o400)
    assert list(tmp_path.glob("results/.tmp/*")) == []


LEFT = """
import os, sys
output, reached, release = sys.argv[1:]
if os.fork():
    os._exit(0)
os.setsid()
file = open(output, "w")
file.write("built")
file.flush()
open(reached, "w").close()
open(release).close()
file.write(" and changed")
file.flush()
open(reached, "w").close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a file is open for writing")
def test_what_a_process_that_was_left_behind_still_writes_changes_no_result(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It has left the process group, so nobody ends it."""
    script, reached, release = (tmp_path / name for name in ("left.py", "reached", "release"))
    script.write_text(LEFT)
    for pipe in (reached, release):
        os.mkfifo(pipe)
    text = f'"{sys.executable}" "{script}" "$output" "{reached}" "{release}" >&- 2>&- & read x < "{reached}"; exit 0'
    queue = make_queue(write_program(tmp_path / "program", text))
    mend_and_run(queue, "a")
    result = queue.destination_path_for_params(("a",))
    assert "a process that it left behind has its output file in" in caplog.text
    assert result.read_text() == "built"
    with release.open("w"), reached.open():  # it has written
        assert result.read_text() == "built"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a file is open for writing")
def test_who_lets_go_of_the_output_in_time_costs_no_copy(storage: DiskStorage, mocker: MockerFixture) -> None:
    """As one does that was killed with the program, a moment ago."""
    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"built")
        writer = workspace.output.open("r+b")
        mocker.patch.object(output_module.time, "sleep", side_effect=lambda _: writer.close())
        inode = workspace.output.stat().st_ino
        workspace.publish()
    assert storage.path("key").stat().st_ino == inode


def test_an_output_that_is_replaced_after_it_was_opened_is_not_what_is_published(
    storage: DiskStorage, tmp_path: Path, mocker: MockerFixture
) -> None:
    fsync = os.fsync
    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"built")

        def swap(fd: int) -> None:
            fsync(fd)
            workspace.output.unlink()
            workspace.output.write_bytes(b"something else")

        mocker.patch("os.fsync", swap)
        with pytest.raises(StorageError, match="another file has taken its name since the program exited"):
            workspace.publish()
    assert not storage.has("key")


def test_an_output_that_becomes_a_pipe_after_it_was_checked_is_refused(
    storage: DiskStorage, mocker: MockerFixture
) -> None:
    mocker.patch.object(output_module, "_check", lambda path: (path.unlink(), os.mkfifo(path)))
    with storage.workspace("key") as workspace, pytest.raises(OutputError, match="it left a link, pipe or device"):
        workspace.publish()


def test_an_output_that_must_be_copied_and_cannot_be_is_told_with_the_reason(
    storage: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"built")
        os.link(workspace.output, tmp_path / "linked")
        monkeypatch.setattr(os, "pwrite", refuse)
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
        with pytest.raises(StorageError, match=f"Cannot copy the output file: {os.strerror(errno.ENOSPC)}"):
            workspace.publish()


def test_an_output_that_becomes_a_link_after_it_was_checked_is_not_followed(
    storage: DiskStorage, tmp_path: Path, mocker: MockerFixture
) -> None:
    (tmp_path / "victim").write_text("private")
    with storage.workspace("key") as workspace:
        workspace.output.write_bytes(b"x")

        def swap(path: Path) -> None:
            workspace.output.unlink()
            workspace.output.symlink_to(tmp_path / "victim")

        mocker.patch.object(output_module, "_check", swap)
        with pytest.raises(OutputError, match="Cannot open the output file: "):
            workspace.publish()
    assert stat.S_IMODE((tmp_path / "victim").stat().st_mode) != 0o400
    assert not storage.has("key")


# A storage that cannot be used


def test_a_missing_storage_is_made_with_its_parents(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path, storage_dir=tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()
    mend_and_run(queue, "a")
    shutil.rmtree(tmp_path / "a")
    mend_and_run(queue, "a")


def test_a_storage_that_cannot_be_made(make_queue: MakeQueue, tmp_path: Path) -> None:
    """A file is in the place of its parent; once that is gone, the same parameters run."""
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    (tmp_path / "file").touch()
    queue = make_queue(program.path, storage_dir=tmp_path / "file" / "storage")
    assert error_of(queue, "a") == "Cannot make the directory .jobs: Not a directory"
    assert program.runs == []
    (tmp_path / "file").unlink()
    mend_and_run(queue, "a")


def test_a_storage_where_nothing_can_be_made(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path, storage_dir="/proc/self/results")
    assert error_of(queue, "a").startswith("Cannot make the directory .jobs: ")


def test_a_storage_with_a_name_that_is_too_long(make_queue: MakeQueue, tmp_path: Path) -> None:
    """The queue can be made; the job says what is wrong."""
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path, storage_dir=tmp_path / ("x" * 300))
    assert error_of(queue, "a").endswith(" .jobs: File name too long")


def test_a_file_in_place_of_the_directory_of_runs(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    queue.storage_dir.mkdir()
    (queue.storage_dir / ".tmp").touch()
    assert error_of(queue, "a") == "Cannot make the directory .tmp: File exists"
    (queue.storage_dir / ".tmp").unlink()
    mend_and_run(queue, "a")


def refuse(
    error: int, *, only_if: Callable[[object], bool] = lambda _: True
) -> Callable[[Callable[..., object]], object]:
    """A system call that fails with this error for those first arguments, and else does what it did."""

    def wrap(original: Callable[..., object]) -> Callable[..., object]:
        def call(first: object, *rest: object, **options: object) -> object:
            if only_if(first):
                raise OSError(error, os.strerror(error))
            return original(first, *rest, **options)

        return call

    return wrap


def is_private(path: object) -> bool:
    return isinstance(path, Path) and path.parent.name == ".tmp"


@pytest.mark.parametrize(
    "refusal",
    [
        ("pathlib.Path.mkdir", errno.ENOSPC, "Cannot make a private directory for the run in .tmp: "),
        ("pathlib.Path.mkdir", errno.EROFS, "Cannot make a private directory for the run in .tmp: "),
        ("os.open", errno.EMFILE, "Cannot use the run's private directory "),
        ("pathlib.Path.touch", errno.ENOSPC, "Cannot make the output file in "),
        ("os.fsync", errno.ENOSPC, "Cannot store the result in {key}: "),
        ("os.fsync", errno.EIO, "Cannot store the result in {key}: "),
        ("os.replace", errno.EDQUOT, "Cannot store the result in {key}: "),
        ("os.fchmod", errno.EPERM, "Cannot store the result in {key}: "),
        ("os.pread", errno.EIO, "Cannot read the output file: "),
    ],
)
def test_a_disk_that_refuses_ends_the_job_with_the_reason(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: tuple[str, int, str]
) -> None:
    """And once it is mended the same parameters run."""
    function, error, text = refusal
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    owner: object = Path if "Path" in function else os
    name = function.rpartition(".")[2]
    only_if = is_private if name in ("mkdir", "open") else (lambda _: True)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, refuse(error, only_if=only_if)(getattr(owner, name)))
        told = error_of(queue, "a")
    destination = queue.destination_path_for_params(("a",))
    assert told.startswith(text.format(key=destination.name))
    assert told.endswith(f": {os.strerror(error)}")
    assert list(queue.storage_dir.glob(".tmp/*")) == []
    assert not destination.exists()
    mend_and_run(queue, "a")


def test_a_directory_in_place_of_the_result(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    destination = queue.destination_path_for_params(("a",))
    destination.mkdir(parents=True)
    assert error_of(queue, "a") == f"Cannot store the result in {destination.name}: Is a directory"
    destination.rmdir()
    mend_and_run(queue, "a")


@pytest.mark.parametrize(("error", "is_failure"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_synced(
    storage: DiskStorage, monkeypatch: pytest.MonkeyPatch, error: int, is_failure: bool
) -> None:
    """Some file systems have no such thing, and that is no failure; one that fails at it is."""
    is_directory = lambda fd: stat.S_ISDIR(os.fstat(fd).st_mode)  # noqa: E731
    monkeypatch.setattr(os, "fsync", refuse(error, only_if=is_directory)(os.fsync))
    with ExitStack() as stack:
        if is_failure:
            stack.enter_context(pytest.raises(StorageError, match=os.strerror(error)))
        publish(storage, "key")


def test_a_file_system_without_locks_is_used_without_and_never_swept(
    storage: DiskStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK)(fcntl.flock))
    with storage.workspace("key") as workspace:
        storage.sweep()
        assert workspace.output.exists()
        workspace.output.write_bytes(b"x")
        workspace.publish()
    assert storage.has("key")
    dead = storage.directory / ".tmp" / "key.dead"
    dead.mkdir()
    storage.sweep()
    assert dead.exists()
    dead.rmdir()


# What is left behind

HOLDER = """
import sys
from pathlib import Path
from workqueue.storage import DiskStorage

with DiskStorage(Path(sys.argv[1])).workspace(sys.argv[2]) as workspace:
    (workspace.output.parent / "beside").mkdir()
    print(workspace.output.parent, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(storage: DiskStorage) -> Iterator[Callable[[str], tuple["subprocess.Popen[str]", Path]]]:
    """Starts another process that makes a workspace and stays in it."""
    with ExitStack() as stack:

        def start(key: str) -> tuple["subprocess.Popen[str]", Path]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HOLDER, str(storage.directory), key],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                )
            )
            assert process.stdout is not None
            return process, Path(process.stdout.readline().strip())

        yield start


def test_a_sweep_removes_what_a_killed_process_left_and_nothing_of_a_live_one(
    storage: DiskStorage, holder: Callable[[str], tuple["subprocess.Popen[str]", Path]]
) -> None:
    killed, dead = holder("a" * 40)
    _, live = holder("b" * 40)
    with storage.workspace("c" * 40) as here:
        storage.sweep()
        assert dead.is_dir()
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        storage.sweep()
        assert not dead.exists()
        assert (live / "beside").is_dir()
        assert here.output.is_file()


def test_a_queue_sweeps_when_it_is_made(
    make_queue: MakeQueue, storage: DiskStorage, holder: Callable[[str], tuple["subprocess.Popen[str]", Path]]
) -> None:
    killed, dead = holder("a" * 40)
    killed.kill()
    killed.wait(10)
    make_queue("program", storage_dir=storage.directory, engine=ManualEngine())
    assert not dead.exists()


def test_a_run_removes_what_dead_runs_of_its_key_left_and_no_others(
    storage: DiskStorage, holder: Callable[[str], tuple["subprocess.Popen[str]", Path]]
) -> None:
    killed, dead = holder("a" * 40)
    other, others = holder("b" * 40)
    for process in (killed, other):
        process.kill()
        process.wait(10)
    publish(storage, "a" * 40)
    assert (dead.exists(), others.exists()) == (False, True)
    storage.sweep()


def test_a_sweep_leaves_alone_what_is_no_directory_of_a_run(storage: DiskStorage, tmp_path: Path) -> None:
    runs = storage.directory / ".tmp"
    runs.mkdir(parents=True)
    (runs / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (runs / "link").symlink_to(tmp_path / "elsewhere")
    storage.sweep()
    assert (tmp_path / "elsewhere").is_dir()
    (runs / "file").unlink()
    (runs / "link").unlink()


def test_a_storage_that_is_not_there_or_is_no_directory_is_swept_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for directory in (tmp_path / "missing", tmp_path / "file", tmp_path / ("x" * 300)):
        DiskStorage(directory).sweep()


@pytest.mark.parametrize("window", ["before the lock is tried", "before it is got", "while it is held"])
def test_a_sweeper_that_comes_between_making_and_locking_costs_a_new_name(
    storage: DiskStorage, monkeypatch: pytest.MonkeyPatch, window: str
) -> None:
    """A sweeper takes a directory that nobody has locked yet for a dead run's; the run takes another."""
    locked, n_windows = runs._locked, []
    held = ExitStack()

    def sweep_first(directory: Path, parent: int | None = None, *, must_lock: bool = True) -> object:
        if must_lock or n_windows:
            return locked(directory, parent, must_lock=must_lock)
        n_windows.append(directory)
        if window == "before the lock is tried":
            storage.sweep()
        elif window == "while it is held":
            held.enter_context(locked(directory))
        else:
            flock = fcntl.flock

            def sweep_then_lock(fd: int, operation: int) -> None:
                monkeypatch.setattr(fcntl, "flock", flock)
                storage.sweep()
                flock(fd, operation)

            monkeypatch.setattr(fcntl, "flock", sweep_then_lock)
        return locked(directory, must_lock=must_lock)

    monkeypatch.setattr(runs, "_locked", sweep_first)
    with held:
        publish(storage, "0" * 40)
    assert storage.has("0" * 40)
    assert len(n_windows) == 1
    storage.sweep()
    assert list(storage.directory.glob(".tmp/*")) == []


def test_a_lock_on_a_directory_that_lost_its_name_is_none(
    storage: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another directory has the name by then; the run takes a new one."""
    flock = fcntl.flock

    def swap_and_lock(fd: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        [directory] = storage.directory.glob(".tmp/*")
        directory.rename(tmp_path / "renamed")
        directory.mkdir()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", swap_and_lock)
    publish(storage, "0" * 40)
    assert storage.has("0" * 40)
    storage.sweep()
    assert list(storage.directory.glob(".tmp/*")) == []


def test_permissions_are_taken_back_of_directories_and_not_through_links(
    storage: DiskStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a removal that was refused once, for root whom no permission stops."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside").chmod(0o750)  # whatever the umask
    rmtree, modes = shutil.rmtree, []

    def refuse_once(name: str, *, dir_fd: int) -> None:
        monkeypatch.setattr(shutil, "rmtree", look_and_remove)
        raise PermissionError(errno.EACCES, "no")

    def look_and_remove(name: str, *, dir_fd: int) -> None:
        directory = storage.directory / ".tmp" / name
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in (directory, directory / "a", directory / "a" / "b"))
        rmtree(name, dir_fd=dir_fd)

    with storage.workspace("key") as workspace:
        inner = workspace.output.parent / "a" / "b"
        inner.mkdir(parents=True)
        (inner.parent / "link").symlink_to(tmp_path / "outside")
        for directory in (inner, inner.parent, workspace.output.parent):
            directory.chmod(0)
        monkeypatch.setattr(shutil, "rmtree", refuse_once)
    assert modes == [0o700] * 3
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o750


WITHOUT_PRIVILEGE = """
import ctypes, os, sys
if os.geteuid() == 0:  # give up root's right to pass over permissions; it takes effect at exec
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""

CLOSE_EVERYTHING = """
import sys
from pathlib import Path
from workqueue.storage import DiskStorage

with DiskStorage(Path(sys.argv[1])).workspace("key") as workspace:
    inner = workspace.output.parent / "a" / "b"
    inner.mkdir(parents=True)
    (inner.parent / "link").symlink_to(sys.argv[2])
    for directory in (inner, inner.parent, workspace.output.parent):
        directory.chmod(0)
"""


def test_a_program_that_closes_its_directory_to_everybody_leaves_nothing_behind(
    storage: DiskStorage, tmp_path: Path
) -> None:
    """As an unprivileged user, to whom permissions matter; where a link in it leads to is not touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o750)  # whatever the umask
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PRIVILEGE, CLOSE_EVERYTHING, str(storage.directory), str(outside)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o750
    assert list(storage.directory.glob(".tmp/*")) == []


def test_what_cannot_be_removed_is_logged_and_the_result_stands(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse(errno.EBUSY)(shutil.rmtree))
        patch.setattr(os, "rmdir", refuse(errno.EBUSY)(os.rmdir))
        mend_and_run(queue, "a")
    assert [record.getMessage().partition("/")[0] for record in caplog.records] == ["cannot remove "]
    DiskStorage(queue.storage_dir).sweep()


def test_what_cannot_even_be_walked_is_logged_and_the_result_stands(
    make_queue: MakeQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program = ScriptedProgram(tmp_path / "program", output(b"built"))
    queue = make_queue(program.path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse(errno.EMFILE)(shutil.rmtree))
        patch.setattr(os, "rmdir", refuse(errno.EMFILE)(os.rmdir))
        patch.setattr(os, "fwalk", refuse(errno.EMFILE)(os.fwalk))
        mend_and_run(queue, "a")
    assert [record.getMessage().partition("/")[0] for record in caplog.records] == ["cannot remove "]
    DiskStorage(queue.storage_dir).sweep()


# Names


@pytest.mark.parametrize("field", ["../../x", "/etc/passwd", "..", ".tmp", "*", "a\nb", "é" * 4000])
def test_no_parameter_names_a_file(make_queue: MakeQueue, tmp_path: Path, field: str) -> None:
    engine = ManualEngine()
    queue = make_queue("program", engine=engine)
    assert queue.destination_path_for_params((field,)).parent == queue.storage_dir
    job = queue.ensure_run((field,))
    assert job is not None
    engine.succeed(job)
    info = queue.result_info((field,))
    assert info is not None
    files = sorted(str(path.relative_to(tmp_path / "storage")) for path in tmp_path.rglob("storage/**/*"))
    assert files == [".info", f".info/{job.key}.{info.etag}", ".tmp", job.key]
    assert set(job.key) <= set("0123456789abcdef")


def test_a_live_run_of_this_process_survives_the_sweeps_of_new_queues(make_queue: MakeQueue, tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", wait("swept"), output(b"built"))
    job = make_queue(program.path).ensure_run(("a",))
    assert job is not None
    program.wait_reached("swept")
    make_queue(program.path)
    program.release("swept")
    assert collect(job)[-1].returncode == 0


@pytest.mark.parametrize("options", [{"ttl": 3600.0}, {"max_bytes": 0}])
def test_a_result_that_somebody_was_told_of_a_moment_ago_is_there_for_him(
    tmp_path: Path, options: dict[str, float]
) -> None:
    storage = DiskStorage(tmp_path, **options)  # type: ignore[arg-type]
    key = "0" * 40
    publish(storage, key)
    almost = time.time() - 3000
    os.utime(storage.path(key), (almost, almost))
    assert storage.has(key)
    [result] = storage.results()
    assert result.published_at == pytest.approx(almost)
    assert result.used_at > almost + 1000
    stale = time.time() - 3700
    os.utime(storage.path(key), (result.used_at, stale))
    assert storage.evict() == []


def test_a_result_that_cannot_be_looked_at_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = "Cannot open the result .*: Not a directory$"
    with pytest.raises(StorageError, match=message), DiskStorage(tmp_path / "file").open("0" * 40):
        pass
