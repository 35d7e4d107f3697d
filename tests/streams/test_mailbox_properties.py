"""A ring and its readers, who come and read in any order, against a list of all values and a cursor for each."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workqueue.streams.mailbox import Mailbox, Ring, Signal

SIZES = st.integers(1, 5)


@dataclass
class Reader:
    """A mailbox, and what the model knows of it."""

    mailbox: Mailbox[int]
    buffer: int
    cursor: int = 0


class RingAndReaders(RuleBasedStateMachine):
    """Everything that the adapters may do, one step after the other."""

    readers = Bundle("readers")

    @initialize(size=SIZES)
    def begin(self, size: int) -> None:
        self.ring = Ring[int](size)
        self.values: list[int] = []
        self.size = size
        self.n_kept = 0  # a ring that has just grown has room for more than it still has
        self.everyone: list[Reader] = []
        self.error: Exception | None = None
        self.has_ended = False

    def unread(self, reader: Reader) -> list[int]:
        n_unread = len(self.values) - reader.cursor
        return self.values[len(self.values) - min(n_unread, reader.buffer, self.n_kept) :]

    @rule(target=readers, buffer=SIZES)
    def come(self, buffer: int) -> Reader:
        """Also after the end: a client may ask for a job that has just ended."""
        reader = Reader(Mailbox(self.ring, buffer), buffer)
        self.size = max(self.size, buffer)
        self.everyone.append(reader)
        return reader

    @rule(size=st.integers(0, 7))
    def grow(self, size: int) -> None:
        self.ring.grow(size)
        self.size = max(self.size, size)

    @precondition(lambda self: not self.has_ended)
    @rule(n_values=st.integers(1, 7))
    def put(self, n_values: int) -> None:
        for _ in range(n_values):
            value = len(self.values)
            self.ring.put(value)
            self.values.append(value)
            self.n_kept = min(self.n_kept + 1, self.size)

    # The chances are small: what comes before the end is most of the story.
    @precondition(lambda self: not self.has_ended and len(self.values) > 4)
    @rule(error=st.none() | st.builds(ValueError))
    def end(self, error: Exception | None) -> None:
        self.ring.end(error)
        self.error, self.has_ended = error, True

    @rule(reader=readers)
    def take(self, reader: Reader) -> None:
        unread = self.unread(reader)
        if unread:
            assert reader.mailbox.take() == unread[0]
            reader.cursor = unread[0] + 1  # a value is its own index
        else:
            assert reader.mailbox.take() is (Signal.END if self.has_ended else Signal.EMPTY)

    @rule(reader=readers)
    def take_all(self, reader: Reader) -> None:
        for value in self.unread(reader):
            assert reader.mailbox.take() == value
        reader.cursor = len(self.values)
        self.take(reader)

    @invariant()
    def nobody_has_read_by_being_asked(self) -> None:
        for reader in self.everyone:
            assert reader.mailbox.has_news == (self.has_ended or bool(self.unread(reader)))
            assert reader.mailbox.latest() == (self.values[-1] if self.values else Signal.EMPTY)

    @invariant()
    def the_ring_holds_the_newest_values(self) -> None:
        kept = [self.ring.back(steps) for steps in range(len(self.ring))]
        assert kept == self.values[::-1][: self.n_kept]
        assert self.ring.count == len(self.values)
        assert (self.ring.ended, self.ring.error) == (self.has_ended, self.error)


def test_readers_who_come_and_read_in_any_order_see_what_the_naive_model_sees() -> None:
    run_state_machine_as_test(RingAndReaders, settings=settings(max_examples=150, stateful_step_count=30))
