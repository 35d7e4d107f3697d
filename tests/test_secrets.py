"""Where a token, and a path of the server, must not be read."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import OverviewViewParams, WorkQueue
from workqueue.params import masked, secrets_of
from workqueue.redaction import without_directories, without_secrets
from workqueue.testing import collect

MakeQueue = Callable[..., WorkQueue]

TOKEN = "t0ken-of-a-view"
PARAMS = OverviewViewParams("https://host", "1", TOKEN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cannot start the program /srv/my/builder: no", "Cannot start the program builder: no"),
        ("[Errno 2] No such file: '/var/lib/x/.tmp/k.1/out'", "[Errno 2] No such file: 'out'"),
        ("see https://host/a/b for 1/2 of it", "see https://host/a/b for 1/2 of it"),
        ("in /my files/x", "in x"),
    ],
)
def test_paths_are_cut_to_their_last_part(text: str, expected: str) -> None:
    assert without_directories(text, ["/my files"]) == expected


def test_secrets_are_three_dots_and_what_is_too_short_is_none() -> None:
    assert without_secrets("a toke b toke", ["toke", ""]) == "a ... b ..."
    assert without_secrets("Exited with code 1", ["1"]) == "Exited with code 1"


def test_fields_are_secrets_by_their_names() -> None:
    assert secrets_of(PARAMS) == (TOKEN,)
    assert masked(PARAMS) == ("https://host", "1", "...")
    assert masked(("a", TOKEN)) == ("a", TOKEN)
    assert secrets_of(("a", TOKEN)) == ()


@pytest.mark.parametrize("token_in", ["argv", "env"])
def test_the_program_finds_its_token_where_it_was_said(make_queue: MakeQueue, tmp_path: Path, token_in: str) -> None:
    program = write_program(
        tmp_path / "program", 'printf \'["%s", "%s", "%s"]\' "$3" "$WORKQUEUE_API_TOKEN" "$#" >"$output"'
    )
    queue = make_queue(program, token_in=token_in)
    job = queue.ensure_run(PARAMS)
    assert job is not None
    assert job.wait(10).returncode == 0
    expected = [TOKEN, "", "4"] if token_in == "argv" else ["", TOKEN, "4"]
    assert json.loads(queue.destination_path_for_params(PARAMS).read_text()) == expected


def test_a_program_that_prints_its_token_tells_it_to_nobody(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = write_program(
        tmp_path / "program", 'echo "$3"; printf "0.5\\tasking with $3\\n"; echo "401 for $3" >&2; exit 1'
    )
    queue = make_queue(program)
    with caplog.at_level(logging.DEBUG, "workqueue"):
        job = queue.ensure_run(PARAMS)
        assert job is not None
        events = collect(job)
    assert events[-1].error == "Exited with code 1\nstderr:\n401 for ...\n"
    assert TOKEN not in repr(events)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(job) + repr(queue.jobs()) + str(queue.destination_path_for_params(PARAMS))


def test_clients_are_told_no_path_of_the_server_and_the_log_is(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, program in {"none": tmp_path / "none", "gone": write_program(tmp_path / "gone", 'rm "$output"')}.items():
        caplog.clear()
        job = make_queue(program).ensure_run((name,))
        assert job is not None
        error = job.wait(10).error
        assert error is not None
        assert str(tmp_path) not in error
        assert str(tmp_path) in caplog.text


def test_a_word_that_is_no_place_for_a_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token_in must be 'argv' or 'env'"):
        WorkQueue("program", storage_dir=tmp_path, token_in="file")  # type: ignore[arg-type]
