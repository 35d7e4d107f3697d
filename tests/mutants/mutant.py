"""mutant: one change of one module; all that can be made, and a sample of them that stays while the code stays."""

import ast
import difflib
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutants.operators import operators
from tests.mutants.places import Home, excluded, home_of

#: The packages whose modules are changed.
ROOMS = ("jobs", "engines", "streams", "program", "storage")


class Mutant(NamedTuple):
    """One change.

    What names it is what a person would look for, so that it has the same name when other code has moved it.
    """

    #: ``workqueue/jobs/job.py``
    module: str
    #: ``Job.cancel``; empty on the module's own level.
    function: str
    #: The lines that change, and what becomes of them, both without indentation and line ends.
    before: str
    after: str
    #: The number of the first of them.
    line: int
    #: Those one of which runs when a test can tell the change.
    reach: range
    #: The module's source, changed.
    code: str

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What names it."""
        return self.module, self.function, self.before, self.after


class _Candidate(NamedTuple):
    """A change that is not made yet, which takes 20 ms."""

    rank: bytes
    module: str
    operator: str
    occurrence: int
    position: tuple[int, int]
    home: Home


def sources(root: Path) -> Iterator[Path]:
    """The modules that are changed. A package's own only says what it holds."""
    for room in ROOMS:
        yield from (path for path in sorted((root / "workqueue" / room).rglob("*.py")) if path.name != "__init__.py")


def sample(root: Path, n: int, seed: int, only: Collection[str] = ()) -> list[Mutant]:
    """`n` changes, at most one of a kind at one place; or all, where there are fewer.

    Each place has a rank that its own code, its function and the seed decide: a change of the code elsewhere brings few
    others into the sample, and takes few out.

    Args:
        root: of the tree.
        n: how many.
        seed: which ones.
        only: of these modules, ``workqueue/jobs/job.py``; empty: of all.

    Raises:
        ValueError: there is no such module.
    """
    found: dict[tuple[str, str, str, str], Mutant] = {}
    kinds = operators()
    texts = {str(path.relative_to(root)): path.read_text() for path in sources(root)}
    if unknown := set(only) - set(texts):
        raise ValueError(f"no modules that are changed: {', '.join(sorted(unknown))}")
    for candidate in sorted(
        c for module, text in texts.items() if not only or module in only for c in _candidates(module, text, seed)
    ):
        if len(found) == n:
            break
        text = texts[candidate.module]
        code = mutate_code(text, kinds[candidate.operator], candidate.occurrence)
        if code is not None and _is_other_program(text, code):
            mutant = _mutant(candidate, text, code)
            found.setdefault(mutant.name, mutant)
    return list(found.values())


def _candidates(module: str, text: str, seed: int) -> Iterator[_Candidate]:
    tree, nodes, lines, spans = ast.parse(text), list(ast_nodes(get_ast(text))), text.splitlines(), excluded(text)
    chosen: dict[tuple[str, tuple[int, int]], _Candidate] = {}
    for operator, kind in operators().items():
        positions = [position for node in nodes for position, _ in kind.mutation_positions(node)]
        for occurrence, position in enumerate(positions):
            if any(span.holds(position) for span in spans):
                continue
            line = lines[position[0] - 1]
            home = home_of(tree, position[0])
            nth = positions[:occurrence].count(position)
            column = position[1] - (len(line) - len(line.lstrip()))
            words = (seed, module, home.name, line.strip(), column, operator, nth)
            candidate = _Candidate(_rank(words), module, operator, occurrence, position, home)
            # "x + 1 -> x - 1" and "1 -> 2" are two kinds; "1 -> 2" and "1 -> 0" are one, of which one is enough.
            place = (operator.partition("_")[0], position)
            chosen[place] = min(chosen.get(place, candidate), candidate)
    yield from chosen.values()


def _rank(words: tuple[object, ...]) -> bytes:
    return hashlib.sha256(repr(words).encode()).digest()


def _is_other_program(text: str, code: str) -> bool:
    try:
        return ast.dump(ast.parse(code)) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


def _mutant(candidate: _Candidate, text: str, code: str) -> Mutant:
    before, after = text.splitlines(), code.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [block for block in blocks if block[0] != "equal"]
    first, last = changed[0], changed[-1]
    return Mutant(
        candidate.module,
        candidate.home.name,
        _joined(before[first[1] : last[2]]),
        _joined(after[first[3] : last[4]]),
        first[1] + 1,
        candidate.home.lines,
        code,
    )


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
