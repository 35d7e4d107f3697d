"""The options of a command that say whose results it is about."""

import argparse

from workqueue.params import check_field


def add_naming(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    add = parser.add_argument
    add("--name", metavar="NAME", type=_text, help="what the server calls the program (default: its file name)")
    add("--version", metavar="VERSION", type=_text, default="", help="which results of it, if the server says so")


def _text(text: str) -> str:
    try:
        check_field("it", text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err
    return text
