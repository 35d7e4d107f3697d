"""The parser of the whole command line, with one below it for each command."""

import argparse
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, NoReturn

from workqueue import __version__
from workqueue.cli import adapt, cancel, check, demo, gc, key, ls, rm, run, top, worker
from workqueue.cli.completion import PrintCompletion
from workqueue.cli.exit_statuses import COMMON, USAGE, as_text, statuses_of
from workqueue.cli.paragraphs import Paragraphs

COMMANDS: Final[Mapping[str, ModuleType]] = {
    "check": check,
    "run": run,
    "adapt": adapt,
    "ls": ls,
    "rm": rm,
    "gc": gc,
    "key": key,
    "worker": worker,
    "top": top,
    "cancel": cancel,
    "demo": demo,
}

#: The tasks under which people look for the commands. One that is named under none of them is listed at the end.
_TASKS: Final = {
    "Write a program for a queue": ("check", "run", "adapt"),
    "Look after results": ("ls", "rm", "gc", "key"),
    "Run and watch jobs": ("worker", "top", "cancel"),
    "See an example": ("demo",),
}

_OTHER: Final = "Other commands"

_EPILOG: Final = """
Examples:
  workqueue demo
  workqueue check ./build.py "one two three"
  workqueue run ./build.py "one two three" --storage results
  workqueue ls results

`workqueue COMMAND --help` explains a command and shows examples. The documentation is in the source: README.rst, and
docs/ from docs/index.rst on.
"""


def build_parser() -> argparse.ArgumentParser:
    """Make the parser; it reads ``WORKQUEUE_NATS_URL`` from the environment, and has no effect on anything."""
    parser = _Outer(
        prog="workqueue",
        usage="%(prog)s [-h] [--version] COMMAND ...",
        description="Run a slow program once for each set of parameters, and watch its progress.",
        epilog=_EPILOG + "\n" + as_text(COMMON),
        formatter_class=Paragraphs,
        add_help=False,
    )
    parser.set_defaults(run=None)
    parser.add_option("-h", "--help", action="help", help="show this help, and exit")
    parser.add_option(
        "--version", action="version", version=f"%(prog)s {__version__}", help="print the version, and exit"
    )
    parser.add_option(
        "--print-completion",
        metavar="SHELL",
        choices=("bash", "zsh", "tcsh"),
        action=PrintCompletion,
        help="print a script for bash, zsh or tcsh that completes what you type, and exit:"
        ' eval "$(workqueue --print-completion bash)"',
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", prog=parser.prog, parser_class=_Parser)
    for name, command in COMMANDS.items():
        summary, _, details = (command.__doc__ or "").partition("\n\n")
        subparser = subparsers.add_parser(
            name, help=summary, description=f"{summary}\n\n{details}", formatter_class=Paragraphs
        )
        command.add_arguments(subparser)
        subparser.epilog = "\n\n".join([subparser.epilog or "", as_text(statuses_of(name))]).strip()
        subparser.set_defaults(run=command.run)
        parser.list_command(name, summary)
    return parser


class _Parser(argparse.ArgumentParser):
    """Its errors say what is wrong and where to look, without a usage of twenty lines before that."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        if message.startswith("unrecognized arguments"):
            message += (
                "\nIf they belong to PROGRAM or COMMAND, put a double dash before it:"
                " workqueue run --storage DIR -- PROGRAM -x"
            )
        self.exit(USAGE, f"{self.prog}: error: {message}\nSee `{self.prog} --help`.\n")


class _Outer(_Parser):
    """The parser of what comes before the command. Its help lists the commands by task."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._options: list[argparse.Action] = []
        self._listed: dict[str, list[argparse.Action]] = {task: [] for task in (*_TASKS, _OTHER)}

    def add_option(self, *names: str, **options: Any) -> None:
        """Declare an option; see `argparse.ArgumentParser.add_argument`."""
        self._options.append(self.add_argument(*names, **options))

    def list_command(self, name: str, summary: str) -> None:
        """Show a command in the help."""
        task = next((task for task, names in _TASKS.items() if name in names), _OTHER)
        self._listed[task].append(argparse.Action([], name, metavar=name, help=summary.replace("%", "%%")))

    def format_help(self) -> str:
        """See `argparse.ArgumentParser`."""
        formatter = self.formatter_class(prog=self.prog)
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        for title, actions in {**self._listed, "options": self._options}.items():
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()
