"""What tests need beside Python's packages: found, or the reason why a test is skipped."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip, and say what to install; in CI fail, where a test that nobody runs would go unnoticed.

    A run of CI that is to show what happens without them says so by WORKQUEUE_TEST_BARE.
    """
    if os.environ.get("CI") and not os.environ.get("WORKQUEUE_TEST_BARE"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def find_program(name: str, package: str) -> str:
    """Where a program is, or `missing`.

    Args:
        name: the program's.
        package: in which Debian has it; a daemon of it may be in /usr/sbin, which a user's PATH lacks.
    """
    return find_command(name) or missing(f"there is no {name} on PATH; Debian has it in the package {package}")


def find_command(name: str) -> str | None:
    """Where a command is: beside this interpreter, as PyPI's packages put theirs, or on PATH."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def systemd_complaints(path: Path, text: str) -> list[str]:
    """What systemd says of a unit; nothing where there is no systemd."""
    analyze = find_command("systemd-analyze")
    if analyze is None:
        return []
    path.write_text(text)
    done = subprocess.run([analyze, "verify", str(path)], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if path.name in line]
