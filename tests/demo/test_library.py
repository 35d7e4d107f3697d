"""Several document sets behind one stand-in for Overview."""

import json
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask

from tests.demo.conftest import Answer, ask, basic
from tests.demo.library_demo import offered
from workqueue.demo.library import Library, ShelvedSet
from workqueue.demo.sets import OfferedSet
from workqueue.demo.texts import Text

Serve = Callable[[Flask], str]


def stream(item: ShelvedSet, token: str | None = None) -> Answer:
    url = f"{item.params.server}/api/v1/document-sets/{item.params.document_set_id}/documents"
    return ask(url, basic(token or item.params.api_token), stream="true", fields="id,text")


def test_each_token_is_for_one_set(serve: Serve) -> None:
    library = Library([offered("Alpha"), offered("Beta")], delay=0)
    alpha, beta = library.shelved(serve(library.app()))
    assert (alpha.title, alpha.n_documents, alpha.words) == ("Alpha", 40, ("common", "alpha word7"))
    assert alpha.params.server == beta.params.server
    assert (alpha.params.document_set_id, beta.params.document_set_id) == ("1", "2")
    for item in (alpha, beta):
        items = json.loads(stream(item).body)["items"]
        assert items[7]["text"] == f"common {item.title.lower()} word7"
        url = f"{item.params.server}/api/v1/api-token"
        token = json.loads(ask(url, basic(item.params.api_token)).body)
        assert token["documentSetId"] == int(item.params.document_set_id)
    assert stream(alpha, beta.params.api_token).status == 403
    assert stream(alpha, "wrong0secret").status == 401
    assert ask(f"{alpha.params.server}/api/v1/api-token").status == 401


def test_a_stream_breaks_off_once_and_once_more_after_a_new_start(serve: Serve) -> None:
    library = Library([offered("Alpha", breaks_once=True), offered("Beta")], delay=0)
    alpha, beta = library.shelved(serve(library.app()))
    assert (alpha.breaks_once, beta.breaks_once) == (True, False)
    whole = stream(beta)
    assert len(json.loads(whole.body)["items"]) == 40
    for _ in range(2):
        # Other requests break nothing off.
        assert ask(f"{alpha.params.server}/api/v1/api-token", basic(alpha.params.api_token)).status == 200
        broken = stream(alpha).body
        with pytest.raises(ValueError, match="delimiter"):
            json.loads(broken)
        assert broken.count(b'"text"') == 24
        assert stream(alpha).body.count(b'"text"') == 40
        assert stream(alpha).body.count(b'"text"') == 40
        assert stream(beta).body.count(b'"text"') == 40
        library.start_over()


@pytest.mark.parametrize("n_texts", [1, 26, 40, 429])
def test_a_set_takes_its_time_in_small_steps(serve: Serve, n_texts: int) -> None:
    waits: Counter[str] = Counter()
    seconds: list[float] = []

    def wait(number: str, pause: float) -> None:
        waits[number] += 1
        seconds.append(pause)

    library = Library([OfferedSet("A", [Text("a", "a", "a")] * n_texts, (), 10.0)], wait=wait)
    [item] = library.shelved(serve(library.app()))
    assert len(json.loads(stream(item).body)["items"]) == n_texts
    assert sum(seconds) == pytest.approx(10.0)
    assert set(waits) == {"1"}
    assert waits["1"] >= min(n_texts, 10)
