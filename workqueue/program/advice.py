"""5 advice: what a failed program says -> what its author may not know of the contract; pure but for one look.

An author who reads "File exists" has made no file: it is the one that a program finds in place of its output.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

#: DuckDB: 'The file "..." exists, but it is not a valid DuckDB database file!'; Python: "File exists: '...'";
#: git: "destination path '...' already exists"; ffmpeg: "File '...' already exists. Exiting."
_THERE: Final = re.compile(r"\bexists\b|\bnot a valid\b", re.IGNORECASE)

OUTPUT_IS_THERE: Final = (
    "\n[The output file is there when the program starts, and empty. A program that wants none there must remove it"
    ' first: os.unlink(output) in Python, rm "$output" in a shell.]\n'
)


DIRECTORY_IS_THERE: Final = (
    "\n[The output directory is there when the program starts, and empty. A program that wants none there must remove"
    ' it first: os.rmdir(output) in Python, rmdir "$output" in a shell.]\n'
)


def hint(output: Path, stderr: str, *, is_directory: bool = False) -> str:
    """What to add to a failed program's stderr; mostly nothing.

    Args:
        output: the file or directory that it was to fill.
        stderr: what it wrote there.
        is_directory: which of the two.
    """
    told = any(_THERE.search(line) and str(output) in line for line in stderr.splitlines())
    if not told:
        return ""
    if is_directory:
        return DIRECTORY_IS_THERE if _is_empty_directory(output) else ""
    return OUTPUT_IS_THERE if _is_empty_file(output) else ""


def _is_empty_file(path: Path) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _is_empty_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode) and next(path.iterdir(), None) is None
    except OSError:
        return False
