"""Where a token, and a path of the server, must not be read."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue import OverviewViewParams, WorkQueue
from workqueue.params import masked, secrets_of
from workqueue.program.tail import MAX_TAIL_BYTES
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


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("see abcdefgh.", ["abcd", "abcdefgh"], "see ...."),
        ("see abcdefghi.", ["abcdef", "defghi"], "see ...."),
        ("see xyxyxyxy.", ["xyxy"], "see ...."),
        ("abcdabcd", ["abcd"], "......"),
        ("öäüß ist geheim", ["öäüß"], "... ist geheim"),
    ],
)
def test_secrets_that_overlap_leave_no_part_of_themselves(text: str, secrets: list[str], expected: str) -> None:
    assert without_secrets(text, secrets) == expected
    assert without_secrets(text, secrets[::-1]) == expected


SECRETS = ("s3cret-öf-a-view", "view-and-more", "öäüß")


def test_no_part_of_a_secret_is_left_where_a_text_was_cut() -> None:
    """Wherever the cut goes, through the middle of a character too."""
    data = "a öäüß b s3cret-öf-a-view-and-more c öäüß".encode()
    whole = "a ... b ... c ..."
    assert without_secrets(data.decode(), SECRETS) == whole
    for i in range(len(data) + 1):
        start, end = (part.decode(errors="replace") for part in (data[:i], data[i:]))
        # Half a character, and nothing else of a secret, may be left: it is no character any more.
        first = without_secrets(start, SECRETS, is_cut_after=True).rstrip("\ufffd")
        last = without_secrets(end, SECRETS, is_cut_before=True).lstrip("\ufffd")
        assert set(first + last) <= set("abc .")
        assert whole.startswith(first.rstrip("."))
        assert whole.endswith(last.lstrip("."))


def test_a_text_that_was_cut_elsewhere_is_left_as_it_is() -> None:
    for text in ("\ufffd plain", "plain \ufffd", "", "\ufffd"):
        assert without_secrets(text, SECRETS, is_cut_before=True, is_cut_after=True) == text


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


@pytest.mark.parametrize("n_before", [0, 1, 5, len(TOKEN) - 1, len(TOKEN)])
def test_a_token_that_the_cut_of_stderr_goes_through_is_told_to_nobody(
    make_queue: MakeQueue, tmp_path: Path, n_before: int
) -> None:
    """So many of its characters are cut; the others would be the first that clients read."""
    filler = MAX_TAIL_BYTES - len(TOKEN) + n_before
    program = write_program(
        tmp_path / "program", f'{{ printf "auth $3"; head -c {filler} /dev/zero | tr "\\0" .; }} >&2; exit 1'
    )
    job = make_queue(program).ensure_run(PARAMS)
    assert job is not None
    error = job.wait(10).error
    assert error is not None
    head, cut, text = error.partition("bytes before this were cut]\n")
    assert head == f"Exited with code 1\nstderr:\n[{len('auth ') + n_before} "
    assert cut
    assert set(text) == {"."}


def test_a_bad_line_that_is_cut_after_its_token_was_taken_out_has_no_part_of_it(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of many tokens is short once they are taken out: what it was cut to is within what the log shows."""
    params = PARAMS._replace(api_token="t0ken" * 1600)
    job = make_queue(write_program(tmp_path / "program", 'printf "$3$3$3$3$3$3$3$3$3\\n"; exit 1')).ensure_run(params)
    assert job is not None
    job.wait(10)
    [line] = (record.getMessage() for record in caplog.records if "stdout must" in record.getMessage())
    assert "t0k" not in line


def test_clients_are_told_no_path_of_the_server_and_the_log_is(
    make_queue: MakeQueue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in {"none": "exit 0", "gone": 'rm "$output"'}.items():
        caplog.clear()
        program = write_program(tmp_path / name, text)
        queue = make_queue(program)
        if name == "none":
            program.unlink()
        job = queue.ensure_run((name,))
        assert job is not None
        error = job.wait(10).error
        assert error is not None
        assert str(tmp_path) not in error
        assert str(tmp_path) in caplog.text


def test_a_word_that_is_no_place_for_a_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token_in must be 'argv' or 'env'"):
        WorkQueue("program", storage_dir=tmp_path, token_in="file")  # type: ignore[arg-type]
