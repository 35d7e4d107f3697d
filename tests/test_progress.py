import json

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
