"""A document set: ids and fields."""

from tests.demo.conftest import make_document_set
from workqueue.demo.documents import ALL_FIELDS


def test_an_id_holds_the_set_and_the_index() -> None:
    documents = make_document_set(3, set_id=7).documents
    assert [document.id for document in documents] == [7 << 32, (7 << 32) + 1, (7 << 32) + 2]


def test_a_document_tells_the_fields_that_are_asked_for() -> None:
    document = make_document_set(1).documents[0]
    assert document.to_json(ALL_FIELDS) == {
        "id": 7 << 32,
        "documentSetId": 7,
        "isFromOcr": False,
        "metadata": {},
        "pageNumber": None,
        "suppliedId": "file-0",
        "text": "common word0 café 😀",
        "title": "Title 0",
        "tokens": "common word0 café",
        "url": None,
    }
    assert document.to_json({"id", "nonsense"}) == {"id": 7 << 32}


def test_a_document_is_found_by_its_id() -> None:
    document_set = make_document_set(2)
    assert document_set.find(7 << 32 | 1) is document_set.documents[1]
    assert document_set.find(7 << 32 | 2) is None
    assert document_set.find(1) is None


def test_a_query_is_a_part_of_the_title_or_the_text_in_any_case() -> None:
    document_set = make_document_set(12)
    assert len(document_set.search("WORD1")) == 3
    assert len(document_set.search("title 11")) == 1
    assert document_set.search("") == document_set.documents
