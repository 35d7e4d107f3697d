import copy
import json
import pickle
from collections.abc import Callable

import pytest

from workqueue.progress import NO_EXIT_STATUS, Progress, failed, failed_exit, succeeded


def test_the_default_is_a_job_of_which_nothing_is_known_yet() -> None:
    assert Progress() == (0, 0.0, None, None, None)


def test_the_wire_form_has_these_names_in_this_order() -> None:
    assert list(Progress()._asdict()) == ["n_ahead_in_queue", "fraction", "message", "returncode", "error"]


def test_the_wire_form_is_json() -> None:
    progress = Progress(2, 0.25, "reading", None, None)
    assert Progress(**json.loads(json.dumps(progress._asdict()))) == progress


def test_it_is_immutable() -> None:
    with pytest.raises(AttributeError):
        Progress().fraction = 0.5  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be changed"):
        Progress().eta = 0.5


def test_an_estimate_is_beside_the_tuple() -> None:
    """Code that compares events, or takes them apart, is told nothing new by it."""
    progress = Progress(2, message="waits", eta=90.0)
    assert progress == Progress(2, message="waits") == (2, 0.0, "waits", None, None)
    assert hash(progress) == hash(Progress(2, message="waits"))
    assert len(progress) == len(Progress._fields) == 5
    assert list(progress._asdict()) == list(Progress()._asdict())
    assert (Progress().eta, progress.eta) == (None, 90.0)
    assert repr(progress).endswith("error=None, eta=90.0)")
    assert "eta" not in repr(Progress())
    with pytest.raises(TypeError):
        Progress(2, 0.0, None, None, None, 90.0)  # type: ignore[misc]


@pytest.mark.parametrize(
    "copied",
    [
        lambda progress: pickle.loads(pickle.dumps(progress)),
        copy.copy,
        copy.deepcopy,
        lambda progress: progress._replace(message="waits"),
        lambda progress: progress.__replace__(message="waits"),
        lambda progress: Progress(**json.loads(json.dumps(progress.as_dict()))),
    ],
    ids=["pickle", "copy", "deepcopy", "replace", "copy.replace", "wire"],
)
def test_a_copy_has_the_estimate(copied: Callable[[Progress], Progress]) -> None:
    progress = Progress(2, message="waits", eta=90.0)
    assert copied(progress) == progress
    assert copied(progress).eta == 90.0
    assert type(copied(progress)) is Progress


def test_another_estimate_makes_another_event() -> None:
    progress = Progress(2, eta=90.0)
    assert (progress.with_eta(80.0).eta, progress.with_eta(None).eta, progress.eta) == (80.0, None, 90.0)
    assert progress.with_eta(None).as_dict() == Progress(2).as_dict()


def test_a_subclass_keeps_what_it_adds() -> None:
    class Staged(Progress):
        stage = "none"

    staged = Staged(2)
    staged.stage = "fetch"
    for other in (staged.with_eta(3.0), staged._replace(message="waits")):
        assert type(other) is Staged
        assert other.stage == "fetch"
    with pytest.raises(AttributeError, match="with_eta"):
        staged.eta = 3.0


def test_success_is_a_returncode_of_0_and_a_fraction_of_1() -> None:
    assert succeeded() == Progress(fraction=1.0, returncode=0)
    assert succeeded().error is None


def test_a_failure_without_an_exit_status_has_the_returncode_of_1_0_1() -> None:
    assert NO_EXIT_STATUS == -999
    assert failed("The disk is full.") == Progress(fraction=1.0, returncode=-999, error="The disk is full.")


@pytest.mark.parametrize("returncode", [1, 127, -9])
def test_a_failed_program_is_told_in_the_words_of_1_0_1(returncode: int) -> None:
    assert failed_exit(returncode, "no such\nfile\n") == Progress(
        fraction=1.0, returncode=returncode, error=f"Exited with code {returncode}\nstderr:\nno such\nfile\n"
    )
