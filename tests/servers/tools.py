"""Programs that are not Python's: found, or the reason why a test is skipped."""

import os
import shutil

import pytest


def find_program(name: str, package: str) -> str:
    """Where a program is. Without it, a test is skipped; but where nobody reads what was skipped, it fails.

    Args:
        name: the program's.
        package: in which Debian has it.
    """
    # Debian's daemons are in directories that a user's PATH lacks.
    path = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        reason = f"there is no {name} here; Debian has it in the package {package}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
