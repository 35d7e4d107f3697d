"""``--version``: which release of this library is installed."""

import argparse
from typing import Any


class PrintVersion(argparse.Action):
    """Prints the version and ends. It is looked up only then, which takes longer than to parse a command line."""

    def __init__(self, option_strings: list[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, _values: object, _option: str | None = None
    ) -> None:
        """See `argparse.Action`."""
        print(parser.prog, version())
        parser.exit()


def version() -> str:
    """The version in the metadata of the installed distribution."""
    from importlib import metadata  # noqa: PLC0415 - as above

    try:
        return metadata.version("overview-plugin-workqueue")
    except metadata.PackageNotFoundError:
        return "(unknown version: it is not installed, but run from its source)"
