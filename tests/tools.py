"""What tests need beside Python's packages: found, or the reason why a test is skipped."""

import os
import shutil
import sysconfig
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
