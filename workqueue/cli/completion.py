"""``--print-completion``: the parsers -> a script by which a shell completes a command line."""

import argparse
from collections.abc import Iterator
from typing import Any, Final

#: What is completed from the files of this host, by the names that the help gives them.
_FILES: Final = ("PROGRAM", "ARG", "FILE", "COMMAND")
_DIRECTORIES: Final = ("STORAGE", "DIR")


class PrintCompletion(argparse.Action):
    """Prints the script and ends."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, values: Any, option: str | None = None
    ) -> None:
        """See `argparse.Action`."""
        try:
            import shtab  # noqa: PLC0415 - an extra, imported where it is used
        except ImportError:
            parser.error(f"{option} needs an extra: pip install 'overview-plugin-workqueue[cli]'")
        for action in _actions_of(parser):
            if action.metavar in _FILES + _DIRECTORIES:
                # The attribute by which shtab is told.
                action.complete = shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY  # type: ignore[attr-defined]
        print(shtab.complete(parser, shell=values))
        parser.exit()


def _actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and arguments, those of each command too."""
    for action in parser._actions:  # noqa: SLF001 - argparse tells it in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions_of(command)
        else:
            yield action
