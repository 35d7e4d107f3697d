"""The changes that are made to the code, and the sample of them."""

from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="cosmic-ray makes the changes: the extra `mutants`")

from tests.mutants.mutant import ROOMS, sample
from tests.mutants.operators import DropCall, TurnMembership, operators

MODULE = "workqueue/jobs/a.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for room in ROOMS:
        (tmp_path / "workqueue" / room).mkdir(parents=True)
    return tmp_path


def changes(root: Path, code: str, seed: int = 1) -> set[str]:
    (root / MODULE).write_text(code)
    return {f"{mutant.before} -> {mutant.after}" for mutant in sample(root, 1000, seed)}


def test_a_call_that_stands_alone_is_dropped(root: Path) -> None:
    assert changes(root, "def f(x):\n    x.a(b)(c)  # why\n    return x.d()\n") == {"x.a(b)(c) # why -> pass # why"}


def test_membership_is_turned(root: Path) -> None:
    assert changes(root, "def f(x):\n    return x in a\n") == {"return x in a -> return x not in a"}
    assert changes(root, "def f(x):\n    return x not in a\n") == {"return x not in a -> return x in a"}


def test_cosmic_rays_operators_are_there_and_of_one_kind_at_one_place_there_is_one(root: Path) -> None:
    found = changes(root, "def f(x):\n    return x < y\n")
    assert found in ({"return x < y -> return x <= y"}, {"return x < y -> return x >= y"})
    assert {"AddNot", "NumberReplacer", "ReplaceComparisonOperator_Is_IsNot", "DropCall"} <= operators().keys()
    assert DropCall.examples() == TurnMembership.examples() == ()


def test_a_change_that_is_none_is_left_out(root: Path) -> None:
    assert changes(root, "def f(*, x: int | None) -> None:\n    print(*x)\n") == {"print(*x) -> pass"}


def test_the_sample_stays_when_other_code_comes(root: Path) -> None:
    code = "def f(x):\n    a()\n    return x + 1\n"
    assert {*changes(root, code)} <= {*changes(root, f"import b\n\ndef g():\n    b.c()\n\n{code}")}
    first = [mutant.name for mutant in sample(root, 2, 1)]
    assert first == [mutant.name for mutant in sample(root, 1000, 1)][:2]


def test_a_mutant_says_where_it_is(root: Path) -> None:
    (root / MODULE).write_text("class C:\n    def f(self):\n        a(\n            b\n        )\n        c = d\n")
    [mutant] = sample(root, 10, 1)
    assert mutant.name == (MODULE, "C.f", "a( b )", "pass")
    assert (mutant.line, mutant.reach) == (3, range(3, 6))
    assert mutant.code == "class C:\n    def f(self):\n        pass\n        c = d\n"


def test_a_module_that_is_not_there_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="no modules that are changed: workqueue"):
        sample(root, 1, 1, ["workqueue/b.py"])
