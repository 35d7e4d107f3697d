"""The options of a command that limit what programs may use -> `Limits`."""

import argparse
from collections.abc import Callable
from typing import Any

from workqueue.cli.quantities import size
from workqueue.program.limits import Limits, check_limits


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    add = parser.add_argument
    add("--time-limit", metavar="SECONDS", type=_limit("time", float), help="a program that runs longer is stopped")
    add("--memory-limit", metavar="SIZE", type=_limit("memory", size), help="of its address space, such as 4G")
    add("--cpu-limit", metavar="SECONDS", type=_limit("cpu", int), help="of CPU time")
    add("--file-size-limit", metavar="SIZE", type=_limit("file_size", size), help="of any one file that it writes")
    add("--niceness", metavar="N", type=_limit("niceness", int), help="how much it lets others go first, 0 to 19")


def limits_of(options: argparse.Namespace) -> Limits:
    """What they say."""
    return Limits(
        time=options.time_limit,
        memory=options.memory_limit,
        cpu=options.cpu_limit,
        file_size=options.file_size_limit,
        niceness=options.niceness,
    )


def _limit(name: str, convert: Callable[[str], float]) -> Callable[[str], Any]:
    def parse(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        try:
            check_limits(Limits(**{name: value}))  # type: ignore[arg-type]
        except ValueError as err:
            raise argparse.ArgumentTypeError(str(err)) from None
        return value

    return parse
