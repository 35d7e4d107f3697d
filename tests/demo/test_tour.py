"""The tour: each step that fails says so."""

import json
from collections.abc import Callable

import pytest
from flask import Flask

from tests.demo.conftest import TOKEN
from workqueue import OverviewViewParams, Progress
from workqueue.demo.client import ClientError
from workqueue.demo.tour import tour

Serve = Callable[[Flask], str]
BUILT = [Progress(fraction=1.0, returncode=0)]
HIT = {"id": 5, "title": "A title", "snippet": "some\n words"}


@pytest.fixture
def scripted(serve: Serve) -> Callable[..., str]:
    """A plugin, and an Overview of one document, that answer by a script."""

    def make(*builds: list[Progress], hits: list[object], text: str = "tiny gigantic") -> str:
        answers = iter(builds)
        app = Flask("scripted")
        app.add_url_rule("/metadata", "metadata", dict)
        app.add_url_rule("/search", "search", lambda: {"total": len(hits), "hits": hits})
        app.add_url_rule(
            "/generate", "generate", lambda: json.dumps([e._asdict() for e in next(answers)]), methods=["POST"]
        )
        items = [{"id": 1, "title": "", "text": text}]
        app.add_url_rule("/api/v1/document-sets/7/documents", "documents", lambda: {"items": items})
        return serve(app)

    return make


def go(url: str, word: str | None = "word") -> None:
    tour(url, OverviewViewParams(url, "7", TOKEN), word)


def test_it_prints_what_it_finds(scripted: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    go(scripted(BUILT, [], hits=[HIT]))
    out = capsys.readouterr().out
    assert "1 document matches 'word':" in out
    assert "  A title  [5]\n    some words\n" in out
    assert TOKEN not in out


def test_it_may_be_built_already(scripted: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    go(scripted([], [], hits=[HIT] * 7))
    out = capsys.readouterr().out
    assert "Already built" in out
    assert "7 documents match 'word'; the best 5:" in out


def test_it_takes_a_word_of_the_first_document(scripted: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="a search for 'gigantic' finds nothing"):
        go(scripted([], [], hits=[]), None)


def test_a_set_without_words_cannot_be_searched(scripted: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="no words to search for"):
        go(scripted([], [], hits=[], text="?!"), None)


def test_a_build_that_fails_ends_it(scripted: Callable[..., str]) -> None:
    failure = [Progress(fraction=1.0, returncode=1, error="Exited with code 1\nstderr:\nNo luck\n")]
    with pytest.raises(ClientError, match=r"could not be built\. Exited with code 1\nstderr:\nNo luck$"):
        go(scripted(failure, hits=[]))


def test_a_second_build_is_an_error(scripted: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="built once more"):
        go(scripted(BUILT, BUILT, hits=[HIT]))
