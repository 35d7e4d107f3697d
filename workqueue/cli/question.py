"""A question to the person at the terminal."""

import sys


def can_ask() -> bool:
    """Whether there is a person who sees a question, and can answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def is_yes(question: str) -> bool:
    """Ask on stderr, and wait for the answer; no is the answer of anybody who only presses Enter, or Ctrl-D.

    Args:
        question: without the choices.
    """
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=sys.stderr)
    return answer.strip().lower() in {"y", "yes"}
