"""PROGRAM of a command line -> a path, or a command with its first arguments."""

import argparse
import shlex
from pathlib import Path

from workqueue.program.command import Command, command_of


def add_program(parser: argparse.ArgumentParser) -> None:
    """Declare PROGRAM and the arguments that it is given."""
    parser.add_argument(
        "program",
        metavar="PROGRAM",
        type=command,
        help="the program: a path, or a command in quotes, such as 'python3 build.py'",
    )
    parser.add_argument("arguments", metavar="ARG", nargs="*", help="what it is given before its output file")


def command(text: str) -> Command:
    """A file of this name, whatever is in it; else the words of a command, the first of which may be on PATH."""
    path = Path(text)
    try:
        words = shlex.split(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{text!r} is no command: {err}") from None
    is_path = path.exists() or (len(words) == 1 and "/" in text)
    try:
        return command_of(path if is_path or not words else words)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from None
