"""The option of a command that says what a program makes of its output: a file or a directory."""

import argparse


def add_form(parser: argparse.ArgumentParser) -> None:
    """Declare it."""
    parser.add_argument(
        "--result",
        choices=("file", "directory"),
        default="file",
        help="what the program makes of its output; a directory is empty when it starts (default: %(default)s)",
    )
