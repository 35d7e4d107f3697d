"""What was learned is believed for so long, and no more of it is kept than is of use."""

from workqueue.storage import known
from workqueue.storage.known import MAX_KNOWN, Known


def test_it_is_believed_for_so_long_and_no_longer() -> None:
    now = 100.0
    values: Known[str] = Known(60.0, lambda: now)
    values.learn("a", "first")
    now += 59.9
    assert values.get("a") == "first"
    values.learn("b", "second")
    now += 0.1
    assert values.get("a") is None
    assert values.get("b") == "second"
    values.learn("a", "anew")
    assert values.get("a") == "anew"


def test_what_is_forgotten_or_never_was_is_not_known() -> None:
    values: Known[str] = Known(60.0)
    values.learn("a", "first")
    values.forget("a")
    values.forget("b")
    assert values.get("a") is None
    assert values.get("b") is None


def test_without_time_nothing_is_believed() -> None:
    values: Known[str] = Known(0.0)
    values.learn("a", "first")
    assert values.get("a") is None


def test_the_least_recently_learned_go_first() -> None:
    values: Known[int] = Known(60.0)
    for i in range(MAX_KNOWN):
        values.learn(str(i), i)
    values.learn("0", 0)
    values.learn("one more", 1)
    assert values.get("0") == 0
    assert values.get("1") is None
    assert values.get("2") == 2
    assert len(values._values) == known.MAX_KNOWN


def test_an_answer_that_was_on_its_way_when_something_changed_is_not_believed() -> None:
    values: Known[str] = Known(60.0)
    moment = values.moment
    values.forget("a")
    values.learn("a", "as it was", moment)
    assert values.get("a") is None
    values.learn("a", "as it is", values.moment)
    assert values.get("a") == "as it is"
    moment = values.moment
    values.forget("a")
    values.learn("a", "what we made of it")
    values.learn("a", "as it was", moment)
    assert values.get("a") == "what we made of it"
