"""steps: what a `ScriptedProgram` does, one thing after the other."""

from typing import NamedTuple


class Step(NamedTuple):
    """One thing that a scripted program does; made by the functions of this module."""

    action: str
    value: str


def say(fraction: float, message: str | None = None) -> Step:
    """Print a progress line."""
    line = f"{fraction}" if message is None else f"{fraction}\t{message}"
    return print_bytes(line.encode() + b"\n")


def print_bytes(data: bytes) -> Step:
    """Print any bytes to stdout, to see what becomes of a program that breaks the contract."""
    return Step("stdout", data.decode("latin-1"))


def print_error(text: str) -> Step:
    """Print text to stderr."""
    return Step("stderr", text.encode().decode("latin-1"))


def output(data: bytes) -> Step:
    """Write to the output file, in place of what is in it."""
    return Step("output", data.decode("latin-1"))


def wait(name: str) -> Step:
    """Stop here until the test calls `ScriptedProgram.release` with this name."""
    return Step("wait", name)


def exit_with(status: int) -> Step:
    """End now. A program whose steps run out exits with 0."""
    return Step("exit", str(status))
