"""Clients that come and go can be measured in every way, and none is left when it is done."""

import asyncio
import sys

import pytest

from benchmarks import churn, passing, stock
from benchmarks.answer import OURS
from benchmarks.churn import BROADCAST, CANCELLED, HISTORY, IN_ORDER, LEAVING, PASSING, READING, Cost, Found
from benchmarks.peers import called
from benchmarks.stock import STOCK
from workqueue.streams import ProgressSubject

COSTS = (PASSING, READING, LEAVING, IN_ORDER, HISTORY, CANCELLED)


@pytest.fixture(autouse=True)
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured one time each."""
    monkeypatch.setattr(passing, "_FEWEST", 1)
    monkeypatch.setattr(passing, "_MOST", 1)
    monkeypatch.setattr(passing, "N_CLIENTS", 2)


@pytest.mark.parametrize(
    ("cost", "way"), [(cost, way) for cost in COSTS for way in cost.ways], ids=lambda it: getattr(it, "what", it)
)
def test_each_way_takes_some_time(cost: Cost, way: str) -> None:
    assert cost.of(way, 3) > 0


def test_clients_of_a_job_come_and_go_in_a_process_of_its_own() -> None:
    assert called(sys.executable, passing.follow, 3) > 0


@pytest.mark.parametrize("way", [OURS, STOCK])
def test_nobody_is_left_when_clients_have_passed(way: str) -> None:
    subject = churn.subject_of(way)
    n_there = []

    def come() -> passing.Leave:
        leave = churn.observer_of(subject)
        n_there.append(churn.n_observers(subject))
        return leave

    passing.passing_us(come, 3)
    assert n_there == [1, 2, 3, 4, 4]
    assert churn.n_observers(subject) == 0


def test_a_client_that_stays_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProgressSubject, "_drop", lambda self, id_: None)
    with pytest.raises(AssertionError):
        churn.leave_last_first(OURS, 3)
    with pytest.raises(AssertionError):
        churn.cancel(OURS, 3)


def test_what_is_written_by_hand_for_the_stock_subject_gives_every_value() -> None:
    subject = churn.subject_of(STOCK, 3)
    reader = stock.generate(subject)
    assert [next(reader) for _ in range(3)] == [0, 1, 2]

    async def first_three() -> list[int]:
        values = stock.read(subject)
        return [await anext(values) for _ in range(3)]

    assert asyncio.run(first_three()) == [0, 1, 2]


def test_growth_is_told_of_ours_and_of_all_clients_together() -> None:
    found: Found = {
        (cost.what, n): dict.fromkeys((OURS, STOCK, BROADCAST), float(n)) for cost in COSTS for n in cost.sizes
    }
    assert [target.reached for target in churn.targets(found)] == [10_000, 4, 2, 10]
    leaving, history = churn.plots(found)
    assert leaving.curves[OURS] == [(n, n * n / 1e3) for n in LEAVING.sizes]
    assert history.curves[STOCK] == [(n, n) for n in HISTORY.sizes]


def test_ours_is_measured_by_turns_where_sizes_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def call(python: str, function: object, *arguments: object) -> float:
        calls.append(arguments)
        return float(len(calls))

    monkeypatch.setattr(churn, "called", call)
    found = churn.figures_of(LEAVING._replace(sizes=(1, 2)))
    assert calls == [(OURS, 1), (OURS, 2), (STOCK, 1), (STOCK, 2), (OURS, 1), (OURS, 2), (OURS, 1), (OURS, 2)]
    assert [figures[OURS] for figures in found.values()] == [5, 6]


def test_the_table_has_a_dash_for_who_cannot_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(churn, "called", lambda python, function, *arguments: 1.0)
    monkeypatch.setattr(churn, "python_of", lambda peer: peer)
    rows = {what: cells for what, *cells in churn.measure().rows}
    assert rows["an observer comes and goes beside 10,000, CPU us"] == [1, 1, None, None]
    assert rows["a job's client comes and goes beside 0, CPU us"] == [1, None, None, 1]
    assert rows["1,000 asyncio clients are cancelled, ms"] == [1, 1, 1, None]
