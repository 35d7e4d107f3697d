"""Where the code is not changed, and which lines a change is judged by."""

import ast
import textwrap

import pytest

from tests.mutants.places import Home, excluded, home_of


def is_excluded(source: str, text: str) -> bool:
    """Whether `text`, which stands once in `source`, is left alone."""
    lines = source.splitlines()
    [line] = [i for i, line in enumerate(lines) if text in line]
    return any(span.holds((line + 1, lines[line].index(text))) for span in excluded(source))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x: int | None = 1", "| None"),
        ("def f(a: int | None) -> bytes | str:\n    return a", "| None"),
        ("def f(a: int | None) -> bytes | str:\n    return a", "| str"),
        ("x = cast(int | None, y)", "| None"),
        ("@overload\ndef f(): ...", "overload"),
        ("if TYPE_CHECKING:\n    x = 1", "x = 1"),
        ("class A(Protocol[T]):\n    def f(self, a=7): ...", "7"),
        ("logger.info('%d', a + 7)", "+ 7"),
        ("__all__ = ('a' + 'b',)", "+"),
        ("MAX: Final = 64 * 1024", "1024"),
        ("WAITS: Final = (0.5, -1.0)", "1.0"),
        ("if sys.platform == 'other':\n    x = 7", "7"),
        ("if hasattr(os, 'fork'):\n    x = 7\nelse:\n    x = 8", "8"),
        ("x = 7  # pragma: no cover", "7"),
    ],
)
def test_what_nothing_that_runs_here_depends_on_is_left_alone(source: str, text: str) -> None:
    assert is_excluded(source, text)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x: int | None = 7", "7"),
        ("def f(a: int | None = 7): ...", "7"),
        ("@property\ndef f(): ...", "property"),
        ("logger.info('a')", "logger"),
        ("MAX: Final = max(64, y)", "64"),
        ("NAME: Final = 'a' + 'b'", "+"),
        ("if hasattr(os, 'fork'):\n    x = 7", "7"),
        ("if hasattr(thing, 'fork'):\n    x = 7", "thing"),
        ("if sys.platform == 'other':\n    x = 7\nelse:\n    x = 8", "8"),
    ],
)
def test_what_runs_is_changed(source: str, text: str) -> None:
    assert not is_excluded(source, text)


SOURCE = textwrap.dedent(
    """\
    import a

    class C:
        size = 3

        @decorated
        def f(self, x=1):
            if (
                x > 1
            ):
                return 2
            try:
                y = call(
                    x
                )
            except OSError:
                return 3

            def inner():
                return 4
            return inner
    """
)


@pytest.mark.parametrize(
    ("text", "name", "lines"),
    [
        ("import a", "", range(1, 1000)),
        ("size", "C", range(3, 22)),
        ("@decorated", "C.f", range(6, 22)),
        ("x=1", "C.f", range(6, 22)),
        ("x > 1", "C.f", range(8, 11)),
        ("return 2", "C.f", range(11, 12)),
        ("                x\n", "C.f", range(13, 16)),
        ("except", "C.f", range(16, 17)),
        ("def inner", "C.f.inner", range(19, 20)),
        ("return 4", "C.f.inner", range(20, 21)),
        ("return inner", "C.f", range(21, 22)),
    ],
)
def test_a_line_is_judged_by_its_statement_or_by_what_it_is_made_for(text: str, name: str, lines: range) -> None:
    line = SOURCE[: SOURCE.index(text)].count("\n") + 1
    home = home_of(ast.parse(SOURCE), line)
    assert home.name == name
    assert home.lines[: len(lines)] == lines
    assert name == "" or home == Home(name, lines)
