import itertools

from hypothesis import given
from hypothesis import strategies as st

from workqueue.streams.conflate import Conflater

GAP = 10


class NaiveConflater:
    """The same by brute force: remembers everything."""

    def __init__(self) -> None:
        self.offered: list[int] = []
        self.passed: list[tuple[int, int]] = []

    def is_pending(self) -> bool:
        return bool(self.offered) and (not self.passed or self.passed[-1][1] != self.offered[-1])

    def take(self, now: int) -> list[int]:
        if not self.is_pending() or (self.passed and now < self.passed[-1][0] + GAP):
            return []
        self.passed.append((now, self.offered[-1]))
        return [self.offered[-1]]


#: What the owner does: how much later, and whether a value comes then.
STEPS = st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=60)


@given(STEPS)
def test_it_takes_what_the_naive_model_takes(steps: list[tuple[int, bool]]) -> None:
    conflater, model, now = Conflater[int](GAP), NaiveConflater(), 0
    for number, (later, has_value) in enumerate(steps):
        now += later
        if has_value:
            conflater.put(number)
            model.offered.append(number)
        assert conflater.take(now) == model.take(now)


@given(STEPS)
def test_the_last_value_is_never_lost_and_order_is_kept(steps: list[tuple[int, bool]]) -> None:
    conflater, now, offered, passed = Conflater[int](GAP), 0, [], []
    for number, (later, has_value) in enumerate(steps):
        now += later
        if has_value:
            conflater.put(number)
            offered.append(number)
        passed += conflater.take(now)
    passed += conflater.flush()
    assert passed[-1:] == offered[-1:]
    assert passed == sorted(set(passed))


@given(STEPS)
def test_at_most_one_value_passes_per_gap_and_the_first_at_once(steps: list[tuple[int, bool]]) -> None:
    conflater, now, times, first_put = Conflater[int](GAP), 0, [], None
    for number, (later, has_value) in enumerate(steps):
        now += later
        if has_value:
            conflater.put(number)
            first_put = now if first_put is None else first_put
        if conflater.take(now):
            times.append(now)
    assert all(b - a >= GAP for a, b in itertools.pairwise(times))
    assert times[:1] == ([] if first_put is None else [first_put])


@given(STEPS)
def test_the_timeout_says_exactly_when_a_value_is_due(steps: list[tuple[int, bool]]) -> None:
    conflater, now = Conflater[int](GAP), 0
    for number, (later, has_value) in enumerate(steps):
        now += later
        if has_value:
            conflater.put(number)
        timeout = conflater.timeout(now)
        if timeout is None:
            assert conflater.take(now + 10 * GAP) == []
        elif timeout > 0:
            assert conflater.take(now + timeout - 1) == []
            assert len(conflater.take(now + timeout)) == 1
            now += int(timeout)
        else:
            assert len(conflater.take(now)) == 1


def test_a_value_held_back_is_replaced_by_the_next() -> None:
    conflater = Conflater[str](GAP)
    conflater.put("first")
    assert conflater.take(0) == ["first"]
    conflater.put("second")
    conflater.put("third")
    assert conflater.timeout(4) == 6
    assert conflater.take(9) == []
    assert conflater.take(10) == ["third"]
    assert conflater.timeout(10) is None


def test_flush_gives_what_is_held_back_before_it_is_due_and_only_once() -> None:
    conflater = Conflater[str](GAP)
    conflater.put("first")
    conflater.take(0)
    conflater.put("last")
    assert conflater.flush() == ["last"]
    assert conflater.flush() == []
    assert conflater.take(100) == []


def test_none_is_a_value_like_any_other() -> None:
    conflater = Conflater[None](GAP)
    conflater.put(None)
    assert conflater.take(0) == [None]
