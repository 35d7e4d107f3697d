"""Where another process's run stands, by its journal."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from workqueue.engines.host.following import Following, Standing
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.lead import Lead
from workqueue.progress import Progress, cancelled, failed, succeeded


@pytest.fixture
def journals(tmp_path: Path) -> Journals:
    return Journals(tmp_path / "journals")


@pytest.fixture
def lead(journals: Journals) -> Iterator[Lead]:
    lead = journals.lead("a")
    assert lead is not None
    yield lead
    lead.close()


@pytest.fixture
def following(journals: Journals) -> Iterator[Following]:
    following = Following(journals, "a")
    yield following
    following.close()


def test_what_has_no_journal_is_lost(following: Following) -> None:
    assert following.look() == Standing(is_lost=True)


def test_of_many_lines_the_last_is_told(lead: Lead, following: Following) -> None:
    assert following.look() == Standing()
    lead.start()
    assert following.look() == Standing(Progress())
    for fraction in (0.25, 0.5):
        lead.report(Progress(fraction=fraction))
    assert following.look() == Standing(Progress(fraction=0.5))
    assert following.look() == Standing()


@pytest.mark.parametrize("end", [succeeded(), failed("why", 3), cancelled()])
def test_an_end_is_told_with_what_came_before_it(lead: Lead, following: Following, end: Progress) -> None:
    lead.start()
    lead.report(Progress(fraction=0.5))
    lead.report(end)
    assert following.look() == Standing(Progress(fraction=0.5), end)


def test_a_leader_that_went_without_an_end_is_lost_with_its_last_words(lead: Lead, following: Following) -> None:
    lead.start()
    following.look()
    lead.report(Progress(fraction=0.5))
    lead.close()
    assert following.look() == Standing(Progress(fraction=0.5), is_lost=True)


def test_a_successor_begins_anew_on_the_same_journal(lead: Lead, following: Following) -> None:
    lead.start()
    lead.report(Progress(fraction=0.5))
    assert following.look() == Standing(Progress(fraction=0.5))
    lead.start()
    assert following.look() == Standing(Progress())


def test_who_comes_when_it_is_being_cancelled_is_told_of_no_progress(
    journals: Journals, lead: Lead, following: Following
) -> None:
    lead.start()
    journals.mark_cancelled("a")
    assert following.look() == Standing()
    assert following.is_late
    lead.report(Progress(fraction=0.5))
    assert following.look() == Standing()
    lead.report(cancelled())
    assert following.look() == Standing()
    lead.close()
    assert following.look() == Standing(is_lost=True)


def test_who_was_there_before_is_told_that_it_was_cancelled(
    journals: Journals, lead: Lead, following: Following
) -> None:
    lead.start()
    following.look()
    journals.mark_cancelled("a")
    lead.report(cancelled())
    assert following.look() == Standing(end=cancelled())


def test_a_run_that_was_done_before_it_was_cancelled_is_told_to_all(
    journals: Journals, lead: Lead, following: Following
) -> None:
    lead.start()
    journals.mark_cancelled("a")
    lead.report(succeeded())
    assert following.look() == Standing(end=succeeded())


def test_a_run_that_was_done_before_it_was_cancelled_is_no_answer_to_a_refresh(journals: Journals, lead: Lead) -> None:
    following = Following(journals, "a", is_refresh=True)
    lead.start()
    journals.mark_cancelled("a")
    lead.report(succeeded())
    assert following.look() == Standing()
    lead.close()
    assert following.look() == Standing(is_lost=True)
    following.close()


def test_a_journal_that_cannot_be_read_ends_the_job_that_follows_it(
    journals: Journals, lead: Lead, following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead.start()
    following.look()

    def refuse(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", refuse)
        end = following.look().end
        assert not journals.is_led("a")
    assert end is not None
    assert str(end.error).endswith("makes: Input/output error")
