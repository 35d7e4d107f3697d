"""Selections: what one query found."""

from tests.demo.conftest import make_document_set
from workqueue.demo.selections import Selections


def test_the_oldest_selection_expires() -> None:
    selections = Selections(capacity=2)
    documents = make_document_set(1).documents
    first, second, third = (selections.add(documents) for _ in range(3))
    assert selections.find(first.id) is None
    assert selections.find(second.id) is second
    assert selections.find(third.id) is third
    assert selections.find("nonsense") is None
