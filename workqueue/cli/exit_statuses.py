"""The exit statuses of each command, in one table: for the commands themselves, their help, and the documentation."""

from collections.abc import Mapping
from typing import Final

OK: Final = 0

FAILED: Final = 1

USAGE: Final = 2
"""What argparse uses, too."""

CANNOT_EXECUTE: Final = 126
"""This one and the next are what a shell uses."""

NOT_FOUND: Final = 127

INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as in a shell."""

_STORAGE: Final = "the storage cannot be used"
_WRONG: Final = "the command line is wrong; nothing was done"
_NO_STORAGE: Final = "the command line is wrong, or there is no such directory"
_CTRL_C: Final = "Ctrl-C"

#: What each status means after each command. Python itself exits with 1 after an error that nobody foresaw.
TABLE: Final[Mapping[str, Mapping[int, str]]] = {
    "check": {
        OK: "the program keeps the contract",
        FAILED: "it does not, or cannot be started",
        USAGE: _WRONG,
        INTERRUPTED: "Ctrl-C; what was seen until then was reported",
    },
    "run": {
        OK: "the result is there",
        FAILED: f"the program failed or cannot be started, or {_STORAGE}",
        USAGE: _WRONG,
        INTERRUPTED: "Ctrl-C; the program was stopped",
    },
    "adapt": {
        USAGE: _WRONG,
        CANNOT_EXECUTE: "the command cannot be executed",
        NOT_FOUND: "there is no such command",
    },
    "ls": {OK: "the results were listed", FAILED: _STORAGE, USAGE: _NO_STORAGE},
    "rm": {
        OK: "the results were removed",
        FAILED: "no result has this key, the answer was no, or the storage is unusable",
        USAGE: _NO_STORAGE,
    },
    "gc": {OK: "the storage was cleaned up", FAILED: _STORAGE, USAGE: _NO_STORAGE},
    "key": {OK: "the key was printed", USAGE: "the command line is wrong, or there is no such program"},
    "worker": {
        OK: "the worker has stopped after SIGTERM or Ctrl-C",
        USAGE: "the command line is wrong, or the worker cannot start",
    },
    "top": {
        OK: "the picture was shown",
        USAGE: "the command line is wrong, or the queue cannot be used",
        INTERRUPTED: _CTRL_C,
    },
    "cancel": {
        OK: "the job was cancelled",
        FAILED: "it was not: there is no such job, or the answer was no",
        USAGE: "the command line is wrong, or the queue cannot be used",
    },
    "demo": {
        OK: "all went well",
        FAILED: "a step failed",
        USAGE: "the command line is wrong, or the demo cannot start",
        INTERRUPTED: "Ctrl-C with --once",
    },
}

#: Of every command.
COMMON: Final[Mapping[int, str]] = {
    OK: "the command has done what it was asked to do",
    FAILED: "it has not, or whatever reads its output has left, as `head` does",
    USAGE: "the command line is wrong; nothing was done",
    INTERRUPTED: _CTRL_C,
}


def statuses_of(command: str) -> Mapping[int, str]:
    """What the exit statuses of a command mean; those of every command, for one that has no row of its own."""
    return TABLE.get(command, COMMON)


def as_text(statuses: Mapping[int, str]) -> str:
    """The end of a command's help."""
    return "\n".join(["Exit status:", *(f"  {status:<5} {meaning}" for status, meaning in statuses.items())])
