"""The options of a command that are part of a result's key: the name and the version of the program."""

import argparse

from workqueue.params import check_field


def add_naming(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    add = parser.add_argument
    add("--name", metavar="NAME", type=_name, help="the program's name, as the server has it (default: its file name)")
    add("--version", metavar="VERSION", type=_text, default="", help="the program's version, if the server has one")


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; leave it out to use the program's file name")
    return _text(text)


def _text(text: str) -> str:
    try:
        check_field("it", text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err
    return text
