"""shell_pipes: a shell script -> its first line where a pipe may hide that a command failed; pure.

The exit status of ``reader | writer`` is that of the writer alone. A script that goes on, or ends there, exits with 0
although the reader failed. This is not a parser of the shell: it skips comments, strings and here-documents, and finds
nothing where it is in doubt.
"""

import re
from typing import Final, NamedTuple

# zsh and ksh have pipefail too. The /bin/sh of many systems, dash, has not.
_SHEBANG: Final = re.compile(r"#!\s*\S*?(?:/env\s+(?:-\S+\s+)*)?(?:\S*/)?(sh|bash|dash|ash|ksh|zsh)\b")

_HEREDOC: Final = re.compile(r"<<-?\s*(['\"\\]?)([A-Za-z_]\w*)\1")

# What stands between quotes or behind a #; and what it looks like to the rest of this module.
_QUOTED: Final = re.compile(
    r"""(?P<keep>\\.|\$\#|\$\{\#) | '[^']*' | "(?:[^"\\]|\\.)*" | (?:(?<=[\s;|&(])|^)\#[^\n]*""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)

# A bar that is none of a pipe: alternatives of `case`, which are words each; tests; arithmetic.
_WORD: Final = r"[^\S\n]*[^\s()|;&]+[^\S\n]*"
_OTHER_BARS: Final = re.compile(
    rf"(?:^|\bin\b|;;)[^\S\n]*\(?{_WORD}(?:\|{_WORD})+\)|\[\[.*?\]\]|\(\(.*?\)\)", re.MULTILINE
)
_PIPE: Final = re.compile(r"(?<![|>])\|(?!\|)")

# A condition asks for the status of the whole.
_CONDITION: Final = re.compile(r"\s*(?:!|(?:if|elif|while|until)\b)")
_BEFORE_A_COMMAND: Final = re.compile(r"[;&|({`]|\b(?:do|then|else)\b")
_CANNOT_FAIL: Final = re.compile(r"\s*(?:echo|printf|seq|yes|:)(?:\s|$)")


class HiddenStatus(NamedTuple):
    """A pipe whose exit status is that of its last command alone."""

    number: int
    """Of its line, from 1."""

    line: str
    fix: str
    """What to change, without a full stop."""


def find_hidden_status(script: str) -> HiddenStatus | None:
    """The first pipe of a script that may hide a failure; None if there is none, or if this is no shell script."""
    shebang = _SHEBANG.match(script)
    if shebang is None:
        return None
    code = _QUOTED.sub(_blank, _without_heredocs(script))
    if "pipefail" in code or "pipefail" in script.partition("\n")[0]:
        return None
    for number, line in enumerate(_OTHER_BARS.sub(_blank, code).split("\n"), start=1):
        if any(_may_fail(line[: pipe.start()]) for pipe in _PIPE.finditer(line)):
            return HiddenStatus(number, script.split("\n")[number - 1].strip(), _fix(shebang[1]))
    return None


def _may_fail(before_pipe: str) -> bool:
    """Whether the last command of this might fail without a look at its exit status."""
    command = _BEFORE_A_COMMAND.split(before_pipe)[-1]
    return _CONDITION.match(before_pipe) is None and _CANNOT_FAIL.match(command) is None


def _fix(shell: str) -> str:
    if shell in {"bash", "ksh", "zsh"}:
        return "put `set -eo pipefail` in its second line"
    return "make #!/bin/bash its first line and `set -eo pipefail` its second"


def _without_heredocs(script: str) -> str:
    """The script with empty lines for the text of its here-documents."""
    lines: list[str] = []
    ends: list[str] = []
    for line in script.split("\n"):
        if ends:
            lines.append("")
            if line.strip() == ends[0]:
                ends.pop(0)
        else:
            lines.append(line)
            ends += [match[2] for match in _HEREDOC.finditer(line)]
    return "\n".join(lines)


def _blank(match: re.Match[str]) -> str:
    """Something without a bar, of as many lines."""
    if match.groupdict().get("keep"):
        return match[0].replace("|", "_")
    return "_" + "\n" * match[0].count("\n")
