"""PROGRAM of a command line -> a path, or a command with its first arguments."""

import argparse
import shlex
from pathlib import Path

from workqueue.program.command import Command, command_of


def add_program(parser: argparse.ArgumentParser) -> None:
    """Declare PROGRAM and its arguments."""
    parser.add_argument(
        "program",
        metavar="PROGRAM",
        type=command,
        help="the program: a path, or a command in quotes, such as 'python3 build.py'",
    )
    parser.add_argument(
        "arguments", metavar="ARG", nargs="*", default=[], help="the program's arguments, without the output file"
    )


def command(text: str) -> Command:
    """Take a path, or the words of a command, the first of which may be on PATH; a file of that name comes first."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a path, or a command in quotes")
    path = Path(text)
    try:
        words = shlex.split(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{text!r} is not a command that a shell could read: {err}") from None
    is_path = path.exists() or (len(words) == 1 and "/" in text)
    try:
        return command_of(path if is_path or not words else words)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from None
