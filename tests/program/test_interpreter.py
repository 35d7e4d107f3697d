"""Which Python runs helpers: never an application that is no interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_program
from workqueue.program import interpreter as module
from workqueue.program.interpreter import helper_environment, interpreter, python


def set_frozen(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "sys.frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    else:
        monkeypatch.setattr(module, "__compiled__", object(), raising=False)


def stand_in(directory: Path, name: str) -> Path:
    """Something that can be executed."""
    return write_program(directory / name, "exit 0")


def test_this_interpreter_runs_it_isolated() -> None:
    command = interpreter()
    assert command == [sys.executable, "-I", "-S"]
    assert subprocess.check_output([*command, "-c", "print('runs')"]) == b"runs\n"


@pytest.mark.parametrize(
    "name",
    [
        "python",
        "python3",
        "python3.11",
        "python3.13t",
        "python3.14dt",
        "python3-dbg",
        "python3.11-dbg",
        "python3-intel64",
        "Python",
        "pythonw",
        "pypy3",
        "pypy3.10",
    ],
)
def test_an_interpreter_is_known_by_its_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stand_in(tmp_path, name)
    monkeypatch.setattr(sys, "executable", str(path))
    assert python() == str(path)


@pytest.mark.parametrize("name", ["happyserver", "uwsgi", "mypython", "python-server", "pythond", "httpd", ""])
def test_what_embeds_python_is_not_taken_for_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uWSGI and mod_wsgi put their own name there, or nothing."""
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path, name)) if name else None)
    beside = stand_in(tmp_path / "prefix" / "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    monkeypatch.setattr(sys, "exec_prefix", str(tmp_path / "prefix"))
    assert python() == str(beside)
    stand_in(tmp_path / "prefix" / "bin", "python3")
    assert python() == str(beside)
    beside.unlink()
    assert python() == str(tmp_path / "prefix" / "bin" / "python3")


def test_in_a_virtual_environment_its_own_interpreter_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though sys.executable is the one that it was made of, without its packages, as under uWSGI."""
    base = stand_in(tmp_path / "base" / "bin", "python3")
    own = stand_in(tmp_path / "environment" / "bin", "python3")
    monkeypatch.setattr(sys, "executable", str(base))
    for name in ("base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path / "base"))
    for name in ("prefix", "exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path / "environment"))
    assert python() == str(own)
    own.unlink()
    assert python() == str(base)


def test_an_interpreter_that_is_gone_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade removes python3.11 below a server that runs."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    assert python() != str(tmp_path / "python3")


@pytest.mark.parametrize("how", ["sys.frozen", "Nuitka"])
def test_a_frozen_application_takes_the_first_python_on_path(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its own name is: it was chosen by who made it."""
    set_frozen(monkeypatch, how)
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path / "app", "python3")))
    found = stand_in(tmp_path / "bin", "python3")
    monkeypatch.setenv("PATH", str(found.parent))
    assert python() == str(found)


@pytest.mark.parametrize("how", ["sys.frozen", "Nuitka"])
def test_a_frozen_application_that_is_itself_on_path_is_not_started(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_frozen(monkeypatch, how)
    monkeypatch.setattr(sys, "executable", str(stand_in(tmp_path, "python3")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="there is no Python interpreter on PATH; install python3"):
        python()


def test_without_any_it_is_told_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "exec_prefix", "/prefix")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="no Python interpreter in /prefix/bin or on PATH"):
        interpreter()


def test_another_python_does_not_get_the_libraries_of_a_frozen_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/app")
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    assert helper_environment() == dict(os.environ)
    set_frozen(monkeypatch, "sys.frozen")
    assert "LD_LIBRARY_PATH" not in helper_environment()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/usr/local/lib")
    assert helper_environment()["LD_LIBRARY_PATH"] == "/usr/local/lib"
    assert "LD_LIBRARY_PATH_ORIG" not in helper_environment()
