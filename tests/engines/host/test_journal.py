"""Journals: who leads, and what others read."""

import errno
import fcntl
import os
import sys
from pathlib import Path

import pytest

from workqueue.engines.host.journal import Journals
from workqueue.engines.host.record import Mark
from workqueue.errors import StorageError
from workqueue.progress import Progress, failed, succeeded
from workqueue.system.locks import unlock


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    return Journals(tmp_path / "journals")


def test_one_leads_at_a_time(journals: Journals) -> None:
    first = journals.lead("a")
    assert first is not None
    assert journals.lead("a") is None
    other = journals.lead("b")
    assert other is not None
    first.close()
    second = journals.lead("a")
    assert second is not None
    second.close()
    other.close()
    assert list(journals.directory.iterdir()) == []


def test_a_lock_on_a_file_that_lost_its_name_leads_nothing(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last run ends between our opening of its journal and our lock."""
    first = journals.lead("a")
    assert first is not None
    from workqueue.engines.host import journal

    try_lock = journal.try_lock

    def end_first(fd: int) -> bool:
        if monkeypatch is not None and not ended:
            ended.append(True)
            first.close()
        return try_lock(fd)

    ended: list[bool] = []
    monkeypatch.setattr(journal, "try_lock", end_first)
    second = journals.lead("a")
    assert second is not None
    assert (journals.directory / "a").exists()
    assert journals.lead("a") is None
    second.close()


def test_a_reader_reads_on_and_sees_that_the_leader_has_gone(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    lead.start()
    reader = journals.reader("a")
    assert reader is not None
    with reader:
        assert reader.look() == (True, [Mark.START])
        assert reader.look() == (True, [])
        lead.report(Progress(fraction=0.5))
        assert reader.look() == (True, [Progress(fraction=0.5)])
        lead.report(succeeded())
        lead.close()
        assert reader.look() == (False, [succeeded()])
    assert journals.reader("a") is None


def test_it_is_led_once_it_has_begun_and_until_it_is_cancelled(journals: Journals) -> None:
    assert not journals.is_led("a")
    lead = journals.lead("a")
    assert lead is not None
    assert not journals.is_led("a")
    lead.start()
    assert journals.is_led("a")
    journals.mark_cancelled("a")
    assert not journals.is_led("a")
    late = journals.reader("a")
    assert late is not None
    with late:
        late.look()
        assert late.is_late
    lead.start()
    assert journals.is_led("a")
    lead.close()
    assert not journals.is_led("a")


def test_marking_what_nobody_leads_makes_no_file(journals: Journals) -> None:
    journals.prepare()
    journals.mark_cancelled("a")
    assert list(journals.directory.iterdir()) == []


def test_who_comes_late_to_a_long_run_reads_its_end_alone(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    lead.start()
    for i in range(5000):
        lead.report(Progress(fraction=i / 5000, message="a message"))
    reader = journals.reader("a")
    assert reader is not None
    with reader:
        _, records = reader.look()
        assert records == [Mark.START, Progress(fraction=4999 / 5000, message="a message")]
    lead.close()


def test_sweeping_removes_what_is_dead_and_nothing_else(journals: Journals) -> None:
    journals.sweep()  # there is no directory yet
    alive, dead = "a" * 40, "d" * 40
    lead = journals.lead(alive)
    assert lead is not None
    (journals.directory / dead).write_text("what a dead run left")
    (journals.directory / ".cancelled").touch()
    (journals.directory / "crontab").touch()
    journals.sweep()
    assert sorted(path.name for path in journals.directory.iterdir()) == [".cancelled", alive, "crontab"]
    lead.close()


def test_a_journal_that_cannot_be_says_so(journals: Journals) -> None:
    (journals.directory / "a").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"Cannot lock .*a: Is a directory"):
        journals.lead("a")


def test_a_full_disk_costs_the_others_progress_and_no_more(journals: Journals, monkeypatch: pytest.MonkeyPatch) -> None:
    lead = journals.lead("a")
    assert lead is not None
    full = os.open("/dev/full", os.O_WRONLY)
    pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda _, data, offset: pwrite(full, data, offset))
        lead.report(Progress(fraction=0.5))
    os.close(full)
    lead.close()


def test_a_beginning_that_could_not_be_written_is_told_with_what_comes_next(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one refused write would cost the others the progress of a run of hours, and its end."""
    lead = journals.lead("a")
    assert lead is not None

    def refuse(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        lead.start()
        lead.report(Progress(fraction=0.25))
    lead.report(Progress(fraction=0.5))
    reader = journals.reader("a")
    assert reader is not None
    with reader:
        assert reader.look().records == [Mark.START, Progress(fraction=0.5)]
    lead.close()


def test_what_is_said_last_stands_there_and_nothing_grows(journals: Journals) -> None:
    """A program that prints long messages for a week costs what one costs that prints one."""
    lead = journals.lead("a")
    reader = journals.reader("a")
    assert lead is not None
    assert reader is not None
    lead.start()
    message = "\ufffd" * 64 * 1024  # what each byte of the longest line is decoded to if it is none of UTF-8
    for i in range(40):
        lead.report(Progress(fraction=i / 40, message=f"{i}{message}"))
    last = Progress(fraction=1.0, returncode=1, error=message)
    lead.report(last)
    with reader:
        assert reader.look() == (True, [Mark.START, Progress(fraction=39 / 40, message=f"39{message}"), last])
    assert (journals.directory / "a").stat().st_size < 1024 * 1024
    lead.close()


def test_what_is_left_of_another_run_says_nothing_of_this_one(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    lead.start()
    lead.report(Progress(fraction=0.5))
    lead.report(failed("why", 3))
    journals.mark_cancelled("a")
    lead.start()
    reader = journals.reader("a")
    assert reader is not None
    with reader:
        assert reader.look() == (True, [Mark.START])
    lead.close()


def test_a_mark_is_found_however_much_comes_after_it(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    lead.start()
    journals.mark_cancelled("a")
    for i in range(5000):
        lead.report(Progress(fraction=i / 5000, message="a message"))
    assert not journals.is_led("a")
    lead.close()


@pytest.mark.parametrize("length", [1, 1000])
def test_a_frame_that_is_being_written_says_nothing_and_a_later_look_finds_it(journals: Journals, length: int) -> None:
    """Every prefix of each write is what a reader may find."""
    lead = journals.lead("a")
    reader = journals.reader("a")
    assert lead is not None
    assert reader is not None
    writes: list[tuple[int, bytes]] = []
    told = [
        Progress(fraction=0.25, message="a quarter"),
        Progress(fraction=0.5, message="half"),
        failed("why" * length, 3),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwrite", lambda _, data, place: writes.append((place, data)))
        lead.start()
        for report in told:
            lead.report(report)
    found: list[object] = []
    writer = os.open(journals.directory / "a", os.O_WRONLY)
    with reader:
        for place, data in writes:
            for n_bytes in range(len(data) + 1):
                os.pwrite(writer, data[:n_bytes], place)
                is_led, records = reader.look()
                assert is_led
                found += records
    os.close(writer)
    lead.close()
    assert found == [Mark.START, *told]


def test_a_program_cannot_write_by_what_it_inherits(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(lead.fd, b"succeeded")
    lead.close()


def make(kind: str, path: Path) -> None:
    """Put something there that is no journal."""
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling link":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "link to a file":
        (path.parent / "elsewhere").write_text("mine")
        path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link", "link to itself", "link to a file"])
def test_what_is_no_file_is_no_journal(journals: Journals, kind: str) -> None:
    journals.prepare()
    make(kind, journals.directory / "a")
    assert not journals.is_led("a")
    journals.mark_cancelled("a")
    with pytest.raises(StorageError, match=r"Cannot lock .*a: "):
        journals.lead("a")
    if kind == "link to a file":
        assert (journals.directory / "elsewhere").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a lock that the program cannot free")
def test_a_program_that_unlocks_what_it_inherits_frees_no_key(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    lead.start()
    copy = os.dup(lead.fd)
    unlock(copy)
    os.close(copy)
    reader = journals.reader("a")
    assert reader is not None
    with reader:
        assert reader.look().is_led
    assert journals.is_led("a")
    assert journals.lead("a") is None
    lead.close()
    successor = journals.lead("a")
    assert successor is not None
    successor.close()


def test_a_journal_that_cannot_be_told_from_others_ends_the_wait(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> os.stat_result:
        raise OSError(errno.ESTALE, "Stale file handle")

    journals.prepare()
    monkeypatch.setattr(Path, "lstat", refuse)
    with pytest.raises(StorageError, match="Stale file handle"):
        journals.lead("a")
    monkeypatch.undo()
    (journals.directory / "a").unlink()


def test_a_journal_that_loses_its_name_each_time_ends_the_wait(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workqueue.engines.host import journal

    monkeypatch.setattr(journal, "is_file_of", lambda *_: False)
    with pytest.raises(StorageError, match="whenever it is opened"):
        journals.lead("a")
    (journals.directory / "a").unlink()


def test_where_a_lock_needs_a_file_that_is_open_for_writing_it_is(
    journals: Journals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, whose locks are of another kind; there is none to be had here."""
    from workqueue.engines.host import journal

    real = journal.try_lock

    def refuse(fd: int, *, shared: bool = False) -> bool:
        if not shared and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return real(fd, shared=shared)

    monkeypatch.setattr(journal, "try_lock", refuse)
    for _ in range(2):
        lead = journals.lead("a")
        assert lead is not None
        lead.start()
        assert journals.is_led("a")
        assert journals.lead("a") is None
        lead.close()
