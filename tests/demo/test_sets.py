"""The document sets of the page at `/`."""

from tests.demo.library_demo import Gates, LibraryDemo
from workqueue.demo.library import Library
from workqueue.demo.server import listen
from workqueue.demo.sets import offered_sets
from workqueue.demo.stage import open_library
from workqueue.demo.texts import Text, texts_from_standard_library


def text(name: str, body: str) -> Text:
    return Text(name, name.partition(":")[2], body)


def test_texts_are_cut_up_by_subject_and_what_has_none_is_left_out() -> None:
    texts = [
        text("topic:async", "A coroutine."),
        text("module:queue", "A Semaphore, and an EVENT-loop."),
        text("module:asyncio.locks", "An event. Thread safe."),
        text("module:calendar", "A month; no queueing."),
    ]
    language, concurrency, everything = offered_sets(texts)
    assert (language.title, language.texts, language.words) == ("The language", texts[:1], ("coroutine",))
    assert (concurrency.title, concurrency.texts) == ("Concurrency", texts[1:3])
    assert concurrency.words == ("event loop", "semaphore")
    assert (everything.title, everything.texts, everything.words) == ("All of it", texts, ("queue", "thread safe"))


def test_the_standard_library_makes_six_whose_words_are_found_in_them() -> None:
    texts = texts_from_standard_library()
    sets = offered_sets(texts)
    assert len({len(item.texts) for item in sets}) == len(sets) == 6
    assert sets[-1].texts == texts
    assert [item.title for item in sets if item.breaks_once] == ["Files and data"]
    assert all(10 <= item.seconds <= 20 and len(item.texts) >= 15 for item in sets)
    with open_library(Library(sets, delay=0), listen("127.0.0.1", 0)) as stage:
        demo = LibraryDemo(stage, Gates())
        for number, item in zip(demo.tokens, sets, strict=True):
            for _ in range(1 + item.breaks_once):
                with demo.generate(number) as build:
                    returncode = build.last()["returncode"]
            assert returncode == 0
            assert len(item.words) >= 2
            assert [demo.search(number, words)["total"] > 0 for words in item.words] == [True] * len(item.words)
