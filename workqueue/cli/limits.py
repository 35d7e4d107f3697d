"""The options of a command that limit what programs may use -> `Limits`."""

import argparse
from collections.abc import Callable
from typing import Any

from workqueue.cli.quantities import size
from workqueue.program.limits import Limits, check_limits


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    add = parser.add_argument
    a_time, a_size = "a whole number of seconds above 0", "a size above 0, such as 4G"
    time, cpu = _limit("time", float, "a number of seconds above 0"), _limit("cpu", int, a_time)
    memory, file_size = _limit("memory", size, a_size), _limit("file_size", size, a_size)
    niceness = _limit("niceness", int, "a whole number from 0 to 19")
    add("--time-limit", metavar="SECONDS", type=time, help="stop a program that runs longer")
    add("--memory-limit", metavar="SIZE", type=memory, help="the address space of a program, such as 4G")
    add("--cpu-limit", metavar="SECONDS", type=cpu, help="the CPU time of a program")
    add("--file-size-limit", metavar="SIZE", type=file_size, help="the size of any one file that a program writes")
    add("--niceness", metavar="N", type=niceness, help="how far programs give way to other processes, 0 to 19")


def limits_of(options: argparse.Namespace) -> Limits:
    """The limits that they set."""
    return Limits(
        time=options.time_limit,
        memory=options.memory_limit,
        cpu=options.cpu_limit,
        file_size=options.file_size_limit,
        niceness=options.niceness,
    )


def _limit(name: str, convert: Callable[[str], float], right: str) -> Callable[[str], Any]:
    def parse(text: str) -> float:
        try:
            value = convert(text)
            check_limits(Limits(**{name: value}))  # type: ignore[arg-type]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a limit; give {right}") from None
        return value

    return parse
