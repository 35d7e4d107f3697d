"""Journals: who leads, and what others read."""

import os
from pathlib import Path

import pytest

from workqueue.engines.host.journal import Journals
from workqueue.engines.host.record import Mark, decode, encode
from workqueue.errors import StorageError
from workqueue.progress import Progress, failed, succeeded


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    return Journals(tmp_path / "journals")


@pytest.mark.parametrize("record", [*Mark, Progress(0, 0.5, "half\n\t\u20ac"), failed("why", 3), succeeded()])
def test_a_record_is_read_as_it_was_written(record: Progress | Mark) -> None:
    assert decode(encode(record).split(b"\n")) == [record]


@pytest.mark.parametrize("line", [b'[0, 0.5, "ha', b"x", b'"begin"', b"[1,2,3,4,5,6]", b"7", b"\xff"])
def test_a_line_that_was_cut_short_spoils_no_other(line: bytes) -> None:
    text = line + encode(succeeded())
    assert decode(text.split(b"\n")) == [succeeded()]


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
        assert len(records) < 2000
        assert records[-1] == Progress(fraction=4999 / 5000, message="a message")
    lead.close()


def test_sweeping_removes_what_is_dead_and_nothing_else(journals: Journals) -> None:
    journals.sweep()  # there is no directory yet
    lead = journals.lead("alive")
    assert lead is not None
    (journals.directory / "dead").write_text('"start"\n')
    (journals.directory / ".cancelled").touch()
    journals.sweep()
    assert sorted(path.name for path in journals.directory.iterdir()) == [".cancelled", "alive"]
    lead.close()


def test_a_journal_that_cannot_be_says_so(journals: Journals) -> None:
    (journals.directory / "a").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"Cannot lock .*a: Is a directory"):
        journals.lead("a")


def test_a_full_disk_costs_the_others_progress_and_no_more(journals: Journals) -> None:
    lead = journals.lead("a")
    assert lead is not None
    real, lead.fd = lead.fd, os.open("/dev/full", os.O_WRONLY)
    lead.report(Progress(fraction=0.5))
    os.close(lead.fd)
    lead.fd = real
    lead.close()
