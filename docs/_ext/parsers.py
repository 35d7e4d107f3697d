"""What an argparse parser says of itself, in reStructuredText; it needs no Sphinx, so that tests may read it."""
# ruff: noqa: SLF001 - argparse tells its actions to subclasses alone, and has done so under these names since Python 3.2

import argparse
import functools
import re
import textwrap
from collections.abc import Iterator


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """The subcommands: the name of each, its summary and its parser."""
    [subparsers] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    summaries = {action.dest: action.help or "" for action in subparsers._choices_actions}
    return {name: (summaries.get(name, ""), subparser) for name, subparser in subparsers.choices.items()}


def section(name: str, summary: str, parser: argparse.ArgumentParser) -> list[str]:
    """The lines of a section about one subcommand."""
    title = f"workqueue {name}"
    # Else the lines of the usage are as long as the terminal is wide in which the pages are built.
    parser.formatter_class = functools.partial(parser.formatter_class, width=80)
    lines = [title, "-" * len(title), "", _sentence(summary), "", ".. code-block:: text", ""]
    lines += _indented(parser.format_usage())
    lines += _prose(parser.description)
    lines += ["", ".. list-table::", "   :header-rows: 1", "   :widths: 2 5", ""]
    lines += ["   * - argument", "     - what it is"]
    for argument, meaning in _rows(parser):
        lines += [f"   * - {argument}", f"     - {meaning}"]
    return [*lines, *_prose(parser.epilog), ""]


def _prose(text: str | None) -> list[str]:
    """Paragraphs, and as they stand those that have an indented line: lists, examples."""
    lines: list[str] = []
    for part in filter(None, (text or "").strip("\n").split("\n\n")):
        is_shown = re.search("^ ", part, re.MULTILINE) is not None
        lines += ["", ".. code-block:: text", "", *_indented(part)] if is_shown else ["", _escaped(part)]
    return [line for part in lines for line in part.split("\n")]


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for group in parser._action_groups:
        for action in group._group_actions:
            if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction):
                continue
            formatter = parser._get_formatter()
            meaning = formatter._expand_help(action) if action.help else ""
            yield f"``{_invocation(formatter, action)}``", _sentence(meaning) or "\\"


def _invocation(formatter: argparse.HelpFormatter, action: argparse.Action) -> str:
    if not action.option_strings:
        return formatter._metavar_formatter(action, action.dest)(1)[0]
    value = "" if action.nargs == 0 else " " + formatter._format_args(action, action.dest.upper())
    return ", ".join(f"{option}{value}" for option in action.option_strings)


def _sentence(text: str) -> str:
    text = _escaped(" ".join(text.split()))
    return text[:1].upper() + text[1:]


def _escaped(text: str) -> str:
    """Text in which nothing is markup, but for options, whose dashes would become one."""
    text = re.sub(r"([*`|_\\])", r"\\\1", text)
    return re.sub(r"(?<!\S)(--[a-z][a-z-]*)", r"``\1``", text)


def _indented(text: str) -> list[str]:
    return [f"   {line}".rstrip() for line in textwrap.dedent(text).strip("\n").splitlines()]
