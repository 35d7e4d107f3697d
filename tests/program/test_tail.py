"""The end of a program's stderr."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from workqueue.program.tail import MAX_TAIL_BYTES, Tail


@given(st.lists(st.binary(max_size=30), max_size=30), st.integers(1, 40))
def test_a_tail_is_the_last_bytes_and_says_how_many_came_before(pieces: list[bytes], size: int) -> None:
    tail = Tail(size)
    for piece in pieces:
        tail.feed(piece)
    data = b"".join(pieces)
    n_cut = max(0, len(data) - size)
    statement = f"[{n_cut} bytes before this were cut]\n" if n_cut else ""
    assert tail.text() == statement + data[n_cut:].decode(errors="replace")


SECRETS = ("pässword", "word-of-mouth")


@given(
    st.lists(st.sampled_from(["pässword", "word-of-mouth", "pässword-of-mouth", "x", "\n", "p"]), max_size=12),
    st.integers(1, 60),
    st.integers(1, 40),
)
def test_a_tail_has_no_part_of_a_secret_however_it_is_fed_and_cut(words: list[str], size: int, piece: int) -> None:
    data = "".join(words).encode()
    at_once, in_pieces = Tail(size, SECRETS), Tail(size, SECRETS)
    at_once.feed(data)
    for i in range(0, len(data), piece):
        in_pieces.feed(data[i : i + piece])
    assert at_once.text() == in_pieces.text()
    _, cut, text = at_once.text().rpartition("were cut]\n")
    assert bool(cut) == (len(data) > size)
    # A lone "p" is no part of a secret, though it looks like the beginning of one.
    assert set(text) <= set("x\np.")


def test_text_can_be_asked_for_twice_and_in_between() -> None:
    tail = Tail(4)
    tail.feed(b"abcdef")
    assert tail.text() == tail.text() == "[2 bytes before this were cut]\ncdef"
    tail.feed(b"g")
    assert tail.text() == "[3 bytes before this were cut]\ndefg"


def test_nothing_is_an_empty_text() -> None:
    assert Tail().text() == ""


def test_a_tail_takes_no_memory_to_speak_of() -> None:
    tail = Tail()
    piece = b"x" * 65_536
    tracemalloc.start()
    try:
        for _ in range(300):
            tail.feed(piece)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert tail.text() == f"[{299 * 65_536} bytes before this were cut]\n" + "x" * MAX_TAIL_BYTES
