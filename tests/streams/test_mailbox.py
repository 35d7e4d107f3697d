from hypothesis import given
from hypothesis import strategies as st

from workqueue.streams.mailbox import Mailbox, Ring, Signal


class NaiveMailbox:
    """The same by brute force: a list of what is unread."""

    def __init__(self, history: list[int], buffer: int) -> None:
        self.buffer = buffer
        self.unread = history[-buffer:]
        self.newest = history[-1:]
        self.has_ended = False

    def put(self, value: int) -> None:
        self.unread = [*self.unread, value][-self.buffer :]
        self.newest = [value]

    def take(self) -> int | Signal:
        if self.unread:
            return self.unread.pop(0)
        return Signal.END if self.has_ended else Signal.EMPTY


BUFFERS = st.integers(1, 5)
MOVES = st.lists(st.sampled_from(["put", "take", "latest"]), max_size=60)


@given(BUFFERS, MOVES)
def test_one_reader_sees_what_the_naive_model_sees(buffer: int, moves: list[str]) -> None:
    ring = Ring[int]()
    mailbox, model = Mailbox(ring, buffer), NaiveMailbox([], buffer)
    for value, move in enumerate(moves):
        if move == "put":
            ring.put(value)
            model.put(value)
        elif move == "take":
            assert mailbox.has_news == bool(model.unread)
            assert mailbox.take() == model.take()
        else:
            assert [mailbox.latest()] == (model.newest or [Signal.EMPTY])


@given(st.lists(st.tuples(BUFFERS, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_readers_of_one_ring_do_not_see_each_other(plan: list[tuple[int, int, int]]) -> None:
    """Each step a reader comes, so many values are put, and every reader takes so many."""
    ring, count = Ring[int](), 0
    readers: list[tuple[Mailbox[int], NaiveMailbox]] = []
    kept: list[int] = []  # what the ring, as large as its largest reader's buffer, still has for a newcomer
    size = 1
    for buffer, n_puts, n_takes in plan:
        size = max(size, buffer)
        readers.append((Mailbox(ring, buffer), NaiveMailbox(kept, buffer)))
        for _ in range(n_puts):
            ring.put(count)
            kept = [*kept, count][-size:]
            for _, model in readers:
                model.put(count)
            count += 1
        for mailbox, model in readers:
            for _ in range(n_takes):
                assert mailbox.take() == model.take()


@given(BUFFERS, MOVES)
def test_the_last_value_and_the_end_are_never_lost(buffer: int, moves: list[str]) -> None:
    ring = Ring[int]()
    mailbox = Mailbox(ring, buffer)
    put, taken = [], []
    for value, move in enumerate(moves):
        if move == "put":
            ring.put(value)
            put.append(value)
        elif move == "take" and not isinstance(item := mailbox.take(), Signal):
            taken.append(item)
    ring.end()
    assert mailbox.has_news
    while not isinstance(item := mailbox.take(), Signal):
        taken.append(item)
    assert item is Signal.END
    assert taken[-1:] == put[-1:]
    assert taken == sorted(set(taken))


@given(BUFFERS, st.integers(0, 20))
def test_a_buffer_of_n_keeps_the_newest_n(buffer: int, n_values: int) -> None:
    ring = Ring[int]()
    mailbox = Mailbox(ring, buffer)
    for value in range(n_values):
        ring.put(value)
    kept = list(range(n_values))[-buffer:]
    assert [mailbox.take() for _ in range(len(kept) + 1)] == [*kept, Signal.EMPTY]


def test_the_end_is_not_a_value_and_stays() -> None:
    ring = Ring[int]()
    mailbox = Mailbox(ring)
    ring.end()
    assert [mailbox.take(), mailbox.take()] == [Signal.END, Signal.END]
    assert mailbox.latest() is Signal.EMPTY


def test_latest_repeats_the_newest_value_and_reads_nothing() -> None:
    ring = Ring[int]()
    mailbox = Mailbox(ring, 2)
    ring.put(1)
    ring.put(2)
    assert mailbox.latest() == 2
    assert [mailbox.take(), mailbox.take(), mailbox.take()] == [1, 2, Signal.EMPTY]
    assert [mailbox.latest(), mailbox.latest()] == [2, 2]


def test_the_ring_keeps_how_the_stream_ended() -> None:
    ring, error = Ring[int](), ValueError("boom")
    assert (ring.ended, ring.error) == (False, None)
    ring.end(error)
    assert (ring.ended, ring.error) == (True, error)


def test_the_ring_counts_what_was_put_and_holds_the_newest() -> None:
    ring = Ring[int](2)
    for value in range(5):
        ring.put(value)
    assert (ring.count, len(ring), ring.back(0), ring.back(1)) == (5, 2, 4, 3)


def test_a_ring_grows_and_never_shrinks() -> None:
    ring = Ring[int](2)
    ring.put(1)
    ring.grow(3)
    ring.grow(1)
    for value in (2, 3, 4):
        ring.put(value)
    assert [ring.back(steps) for steps in range(len(ring))] == [4, 3, 2]
