"""places: where in a module no change is made, and which statement a place belongs to.

Left alone are, since nothing that runs depends on them, or nothing that this system runs:

* annotations, the arguments of `cast` and `TypeVar`, and decorators that only type checkers read;
* blocks for type checkers, and the bodies of protocols;
* what is written to the log, but not whether it is;
* how long, how many and how large, where that is a `Final` of its module: any value near it would do. That it is a
  bound at all is asked by a change of the code that uses it;
* `__all__`, and packages' ``__init__.py`` (`mutant.sources`);
* of an `if` that asks which system this is, the question, and the branch for others;
* lines marked ``pragma: no cover``.
"""

import ast
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import NamedTuple

_TYPING_DECORATORS = {"overload", "override", "final", "runtime_checkable"}
_TYPING_CALLS = {"cast", "TypeVar", "ParamSpec", "NewType"}
_LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


class Span(NamedTuple):
    """From one place up to another."""

    start: tuple[int, int]
    end: tuple[int, int]

    def holds(self, position: tuple[int, int]) -> bool:
        return self.start <= position < self.end


def excluded(source: str) -> list[Span]:
    """Where nothing is changed."""
    lines = source.splitlines()
    marked = [Span((i, 0), (i + 1, 0)) for i, line in enumerate(lines, start=1) if "pragma: no cover" in line]
    return marked + [_span(node, lines) for top in ast.walk(ast.parse(source)) for node in _excluded_of(top)]


def _excluded_of(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.AnnAssign():
            yield node.annotation
            yield from (
                [node.value] if node.value and _name(node.annotation) == "Final" and _is_number(node.value) else []
            )
        case ast.arg(annotation=ast.expr() as annotation):
            yield annotation
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from [node.returns] if node.returns else []
            yield from (item for item in node.decorator_list if _name(item) in _TYPING_DECORATORS)
        case ast.ClassDef():
            yield from (item for item in node.decorator_list if _name(item) in _TYPING_DECORATORS)
            yield from node.body if any(_name(base) == "Protocol" for base in node.bases) else []
        case ast.Call() if _name(node.func) in _TYPING_CALLS:
            yield node
        case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"), attr=method)) if method in _LOG_METHODS:
            yield from [*node.args, *node.keywords]
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            yield node
        case ast.If() | ast.IfExp():
            yield from _branches_of_others(node)


def _branches_of_others(node: ast.If | ast.IfExp) -> Iterator[ast.AST]:
    """The test, and the branch that it rules out here, where that is a matter of the system."""
    taken = _answer(node.test)
    if taken is None:
        return
    yield node.test
    other = node.orelse if taken else node.body
    yield from other if isinstance(other, list) else [other]


def _answer(test: ast.expr) -> bool | None:
    """What a question about the system has for an answer; None: it is about something else."""
    text = ast.unparse(test)
    if text in ("TYPE_CHECKING", "not TYPE_CHECKING"):
        return text == "not TYPE_CHECKING"
    names = {part.id for part in ast.walk(test) if isinstance(part, ast.Name)}
    if ("sys.platform" in text or "hasattr(" in text) and names <= {"sys", "os", "select", "signal", "hasattr"}:
        return bool(eval(text, {"sys": sys, "os": os, "select": select, "signal": signal}))
    return None


def _is_number(node: ast.expr) -> bool:
    """Whether it is numbers, and what is computed of numbers."""
    kinds = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.operator, ast.unaryop, ast.expr_context)
    return all(isinstance(part, kinds) for part in ast.walk(node)) and not any(
        isinstance(part, ast.Constant) and not isinstance(part.value, int | float) for part in ast.walk(node)
    )


def _name(node: ast.expr) -> str:
    """The last part of a dotted name, without what it is called or subscripted with."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _span(node: ast.AST, lines: list[str]) -> Span:
    def column(line: int, n_bytes: int) -> int:
        return len(lines[line - 1].encode()[:n_bytes].decode())

    return Span(
        (node.lineno, column(node.lineno, node.col_offset)),  # type: ignore[attr-defined]
        (node.end_lineno, column(node.end_lineno, node.end_col_offset)),  # type: ignore[attr-defined]
    )


class Home(NamedTuple):
    """Where a changed place belongs."""

    #: The function or class, with those around it: ``LineUp._note``; empty on the module's own level.
    name: str
    #: The lines one of which runs when the change can tell.
    lines: range


def home_of(tree: ast.Module, line: int) -> Home:
    """What holds this line.

    A line of a statement stands for all of the statement. One that runs when the module is imported, a decorator's or a
    default's, stands for all of the function or class that it belongs to, and any other such line for all the module.
    """
    chain = list(_chain(tree, line))
    scopes = [node for node in chain if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    name = ".".join(scope.name for scope in scopes)
    if not any(not isinstance(scope, ast.ClassDef) and _first(scope.body[0]) <= line for scope in scopes):
        return Home(name, _lines(scopes[-1]) if scopes else range(1, sys.maxsize))
    inner = chain[-1]
    body = next(_statements(inner), None)
    is_header = body is not None and line < _first(body)
    return Home(name, range(_first(inner), _first(body)) if body is not None and is_header else _lines(inner))


def _chain(node: ast.AST, line: int) -> Iterator[ast.stmt | ast.excepthandler]:
    """The statements that hold this line, outermost first."""
    for child in _statements(node):
        if line in _lines(child):
            yield child
            yield from _chain(child, line)


def _statements(node: ast.AST) -> Iterator[ast.stmt | ast.excepthandler]:
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, field, None) or ():
            if isinstance(child, ast.match_case):
                yield from _statements(child)
            elif isinstance(child, ast.stmt | ast.excepthandler):
                yield child


def _lines(node: ast.stmt | ast.excepthandler) -> range:
    return range(_first(node), (node.end_lineno or node.lineno) + 1)


def _first(node: ast.stmt | ast.excepthandler) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])
