"""The option of a command that says what a program builds: a file or a directory."""

import argparse


def add_form(parser: argparse.ArgumentParser) -> None:
    """Declare it."""
    parser.add_argument(
        "--result",
        choices=("file", "directory"),
        default="file",
        help="what the program builds; it is given an empty file, or an empty directory (default: %(default)s)",
    )
