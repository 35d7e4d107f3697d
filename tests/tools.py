"""What tests need beside Python's packages: found, or the reason why a test is skipped."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip, and say what to install; in CI fail, where a test that nobody runs would go unnoticed."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def find_program(name: str, package: str) -> str:
    """Where a program is, or `missing`.

    Args:
        name: the program's.
        package: in which Debian has it.
    """
    # Debian's daemons are in directories that a user's PATH lacks.
    path = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    return path or missing(f"there is no {name} here; Debian has it in the package {package}")
