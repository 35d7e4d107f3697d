"""How a program was called, and how it ends; each in a process of its own."""

import os
import sys

import pytest

from tests.builder.conftest import Run
from workqueue.builder import arguments, fail

SHOW = "from workqueue.builder import arguments\nprint(arguments({names}))"


def test_the_fields_and_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["dir/build.py", "http://localhost", "1", "token", "out"])
    server, document_set_id, api_token, output = arguments("server", "document_set_id", "api_token")
    assert (server, document_set_id, api_token, output) == ("http://localhost", "1", "token", "out")
    *fields, output = arguments()
    assert (fields, output) == (["http://localhost", "1", "token"], "out")


@pytest.mark.parametrize(
    ("names", "given", "usage"),
    [
        ("'server', 'api_token'", ["a"], "usage: build.py SERVER API_TOKEN OUTPUT_FILENAME (got 1 arguments)"),
        ("'server'", ["a", "b", "c"], "usage: build.py SERVER OUTPUT_FILENAME (got 3 arguments)"),
        ("", [], "usage: build.py [FIELD...] OUTPUT_FILENAME (got 0 arguments)"),
    ],
)
def test_a_wrong_number_of_arguments_is_told_with_the_usage(run: Run, names: str, given: list[str], usage: str) -> None:
    done = run(SHOW.format(names=names), *given)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", usage + "\n")


def test_a_token_that_is_empty_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKQUEUE_API_TOKEN", "secret")
    names = "server", "document_set_id", "api_token"
    for given, expected in (("", "secret"), ("token", "token")):
        monkeypatch.setattr(sys, "argv", ["build.py", "", "1", given, "out"])
        assert arguments(*names) == ("", "1", expected, "out")
    monkeypatch.delenv("WORKQUEUE_API_TOKEN")
    monkeypatch.setattr(sys, "argv", ["build.py", "", "1", "", "out"])
    assert arguments(*names) == ("", "1", "", "out")


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("fail('no such set')", 1),
        ("fail('no such set', status=3)", 3),
        ("fail('no such set', retry_later=True)", 75),
    ],
)
@pytest.mark.parametrize("where", ["", "in a thread", "in a pool"])
def test_a_failure_ends_the_program_with_its_reason(run: Run, call: str, status: int, where: str) -> None:
    text = {
        "": call,
        "in a thread": f"import threading\nthreading.Thread(target=lambda: {call}).start()",
        "in a pool": f"from concurrent.futures import ThreadPoolExecutor\n"
        f"with ThreadPoolExecutor() as pool: pool.submit(lambda: {call})",
    }[where]
    done = run(f"from workqueue.builder import fail\n{text}")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "no such set\n")


def test_a_failure_cleans_up(run: Run) -> None:
    text = "from workqueue.builder import fail\ntry: fail('no')\nfinally: open(__file__ + '.cleaned', 'w').close()\n"
    done = run(text)
    assert done.returncode == 1
    assert os.path.exists(f"{done.args[1]}.cleaned")  # noqa: PTH110


@pytest.mark.parametrize("broken", ["sys.stderr = None", "sys.stderr.close()", "os.close(2)"])
def test_a_failure_that_cannot_be_told_is_one(run: Run, broken: str) -> None:
    done = run(f"import os, sys\nfrom workqueue.builder import fail\n{broken}\nfail('no')")
    assert done.returncode == 1


@pytest.mark.parametrize("status", [0, -1, 256, float("nan")])
def test_a_status_that_says_nothing_of_a_failure_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="status must be a whole number from 1 to 255; got"):
        fail("why", status=status)


def test_one_status_can_be_given() -> None:
    with pytest.raises(TypeError, match="one of status and retry_later"):
        fail("why", status=3, retry_later=True)


@pytest.mark.parametrize(("options", "status"), [({}, 1), ({"status": 3}, 3), ({"retry_later": True}, 75)])
def test_a_failure_in_the_main_thread_is_an_exit(
    options: dict[str, int], status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        fail("no such set", **options)  # type: ignore[arg-type]
    assert raised.value.code == status
    assert capfd.readouterr() == ("", "no such set\n")


def test_wrong_use_is_an_exit_too(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["/a/build.py"])
    with pytest.raises(SystemExit) as raised:
        arguments("server")
    assert raised.value.code == 2
    assert capfd.readouterr().err == "usage: build.py SERVER OUTPUT_FILENAME (got 0 arguments)\n"


def test_a_token_has_its_name_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKQUEUE_API_TOKEN", "secret")
    monkeypatch.setattr(sys, "argv", ["build.py", "", "out"])
    assert arguments("API_TOKEN") == ("secret", "out")
    assert arguments("other") == ("", "out")
