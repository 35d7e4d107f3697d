"""What an argparse parser says of itself, in reStructuredText; it needs no Sphinx, so that tests may read it."""

import argparse
import re
from collections.abc import Iterator


def commands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, argparse.ArgumentParser]]:
    """The subcommands: the name of each, its summary and its parser."""
    [subparsers] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    summaries = {action.dest: action.help or "" for action in subparsers._choices_actions}
    return {name: (summaries.get(name, ""), subparser) for name, subparser in subparsers.choices.items()}


def section(name: str, summary: str, parser: argparse.ArgumentParser) -> list[str]:
    """The lines of a section about one subcommand."""
    title = f"workqueue {name}"
    lines = [title, "-" * len(title), "", _sentence(summary), "", ".. code-block:: text", ""]
    lines += _indented(parser.format_usage())
    lines += ["", ".. code-block:: text", "", *_indented(parser.description)] if parser.description else []
    rows = list(_rows(parser))
    lines += ["", ".. list-table::", "   :header-rows: 1", "   :widths: 2 5", ""]
    lines += ["   * - argument", "     - what it is"]
    for argument, meaning in rows:
        lines += [f"   * - {argument}", f"     - {meaning}"]
    if parser.epilog:
        lines += ["", _escaped(parser.epilog)]
    return [*lines, ""]


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
    """Text in which nothing is markup."""
    return re.sub(r"([*`|_\\])", r"\\\1", text)


def _indented(text: str | None) -> list[str]:
    return [f"   {line}".rstrip() for line in (text or "").strip().splitlines()]
