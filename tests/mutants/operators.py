"""operators: the kinds of change that are made to the code."""

import functools
import re
from collections.abc import Iterator
from typing import Any

import cosmic_ray.plugins
import parso
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Keyword

#: Of cosmic-ray's, one for each way to go wrong: it has twelve for each `+`, most of which only raise a TypeError.
_CHOSEN = re.compile(
    r"core/(AddNot|Replace(TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|Lt_GtE|LtE_Lt|LtE_Gt|Gt_GtE|Gt_LtE|GtE_Gt|GtE_Lt|Is_IsNot|IsNot_Is)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_FloorDiv|Div_Mul|FloorDiv_Mul|Mod_Mul|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceUnaryOperator_(Delete_Not|USub_UAdd)|ExceptionReplacer|NumberReplacer|RemoveDecorator|ZeroIterationForLoop)"
)


class DropCall(Operator):  # type: ignore[misc] # cosmic-ray has no types
    """Leaves out a call that stands as a statement of its own."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if node.type == "simple_stmt" and self._is_call(node.children[0]):
            yield (node.children[0].start_pos, node.children[0].end_pos)

    def mutate(self, node: Any, index: int) -> Any:
        call = node.children[0]
        node.children[0] = Keyword("pass", call.start_pos, call.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()

    @staticmethod
    def _is_call(node: Any) -> bool:
        if node.type != "atom_expr":
            return False
        last = node.children[-1]
        return bool(last.type == "trailer" and last.children[0].value == "(")


class TurnMembership(Operator):  # type: ignore[misc]
    """Makes `not in` of `in`, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if node.type == "comparison":
            for sign in node.children[1::2]:
                if sign.get_code().split() in (["in"], ["not", "in"]):
                    yield (sign.start_pos, sign.end_pos)

    def mutate(self, node: Any, index: int) -> Any:
        places = [i for i in range(1, len(node.children), 2) if node.children[i].get_code().split()[-1] == "in"]
        i = places[index]
        is_in = node.children[i].get_code().split() == ["in"]
        node.children[i] = parso.parse(" not in" if is_in else " in")
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


@functools.cache
def operators() -> dict[str, Any]:
    """All that are used, by name."""
    names = [name for name in cosmic_ray.plugins.operator_names() if _CHOSEN.fullmatch(name)]
    chosen = {name.removeprefix("core/"): cosmic_ray.plugins.get_operator(name)() for name in sorted(names)}
    return {**chosen, "DropCall": DropCall(), "TurnMembership": TurnMembership()}
