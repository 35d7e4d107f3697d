"""The option of a command that says how the name of a program's output file ends."""

import argparse

from workqueue.naming import check_suffix


def add_suffix(parser: argparse.ArgumentParser) -> None:
    """Declare it."""
    parser.add_argument(
        "--suffix",
        metavar="SUFFIX",
        type=_suffix,
        default="",
        help="how the name of the output file ends, for tools that choose their format by it: .mp4",
    )


def _suffix(text: str) -> str:
    try:
        check_suffix(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err
    return text
