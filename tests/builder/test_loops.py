"""Loops, parts and single lines -> the lines of the contract."""

import contextlib
import decimal
import fractions
import os
import threading
from collections.abc import Iterator

import pytest

from tests.builder.conftest import Printed
from workqueue.builder import part, progress, track
from workqueue.program.protocol import MAX_LINE_BYTES, parse_line


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0, "0.0"),
        (1, "1.0"),
        (0.25, "0.25"),
        (1 / 3, "0.3333"),
        (1e-9, "0.0"),
        (sum([0.1] * 10), "1.0"),
        (1.0000000000000002, "1.0"),
        (-1e-17, "0.0"),
        (fractions.Fraction(1, 4), "0.25"),
        (decimal.Decimal("0.5"), "0.5"),
    ],
)
def test_a_fraction_is_printed_with_four_digits(printed: Printed, fraction: float, shown: str) -> None:
    progress(fraction)
    assert printed.lines == [shown]


@pytest.mark.parametrize("fraction", [float("nan"), float("inf"), -0.1, 1.1, 25, 10**400])
def test_what_is_no_fraction_is_refused_with_the_value(printed: Printed, fraction: float) -> None:
    with pytest.raises(ValueError, match="must be a number from 0 to 1; got ") as raised:
        progress(fraction)
    assert repr(fraction) in str(raised.value)
    assert printed.lines == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Reading 3 of 12", "Reading 3 of 12"),
        ("a\tb", "a b"),
        ("a\nb\r\nc\rd\x0be\x0cf\x1cg\x85h\u2028i\u2029j", "a b c d e f g h i j"),
        ("ends\n", "ends"),
        ("", ""),
        ("café ✓", "café ✓"),
        (os.fsdecode(b"a\xff.txt"), "a?.txt"),
    ],
)
def test_a_message_is_one_line(printed: Printed, message: str, shown: str) -> None:
    progress(0.5, message)
    assert printed.lines == [f"0.5\t{shown}"]


def test_a_long_message_is_cut_between_two_characters(printed: Printed) -> None:
    progress(0.5, "é" * MAX_LINE_BYTES)
    [line] = printed.lines
    parsed = parse_line(line.encode())
    assert parsed is not None
    assert parsed.message == "é" * 2045


def test_a_loop_says_which_item_is_the_current(printed: Printed) -> None:
    assert list(track("abcd", "Reading {n} of {total}")) == ["a", "b", "c", "d"]
    assert printed.lines == [
        "0.0\tReading 1 of 4",
        "0.25\tReading 2 of 4",
        "0.5\tReading 3 of 4",
        "0.75\tReading 4 of 4",
        "1.0\tReading 4 of 4",
    ]


def test_a_loop_without_a_message_prints_fractions_alone(printed: Printed) -> None:
    assert list(track([1, 2])) == [1, 2]
    assert printed.lines == ["0.0", "0.5", "1.0"]


def test_a_loop_of_nothing_is_done(printed: Printed) -> None:
    assert list(track([], "{n} of {total}")) == []
    assert printed.lines == ["1.0\t0 of 0"]


def test_without_a_length_the_message_moves_and_the_fraction_stays(printed: Printed) -> None:
    progress(0.5)
    list(track(iter("ab"), "{n} of {total}"))
    assert printed.lines == ["0.5", "0.5\t1 of ?", "0.5\t2 of ?", "1.0\t2 of ?"]


def test_a_total_is_for_those_that_have_no_length(printed: Printed) -> None:
    list(track(iter("ab"), "{n} of {total}", total=2))
    assert printed.lines == ["0.0\t1 of 2", "0.5\t2 of 2", "1.0\t2 of 2"]


@pytest.mark.parametrize("total", [1, 5])
def test_a_wrong_total_ends_in_its_place(printed: Printed, total: int) -> None:
    list(track(iter("abc"), total=total))
    values = [float(line) for line in printed.lines]
    assert values == sorted(values)
    assert values[-1] == 1.0


@pytest.mark.parametrize("message", ["{item}", "{}", "{0}", "{n.x}", "{n", "n}"])
def test_a_message_that_cannot_be_filled_in_is_refused_by_the_call(printed: Printed, message: str) -> None:
    with pytest.raises(ValueError, match=r"message may hold \{n\} and \{total\}"):
        track("abc", message)


def test_a_loop_in_a_loop_refines_the_current_item(printed: Printed) -> None:
    for _ in track("ab"):
        for _ in track("xy"):
            progress(0.5, "in the middle")
    fractions = [line.partition("\t")[0] for line in printed.lines]
    assert list(dict.fromkeys(fractions)) == ["0.0", "0.125", "0.25", "0.375", "0.5", "0.625", "0.75", "0.875", "1.0"]


def test_a_loop_without_a_message_tells_that_of_the_loop_within_it(printed: Printed) -> None:
    list(track("a", "before {n}"))
    progress(0)
    for _ in track("ab"):
        list(track("x", "within {n}"))
    assert printed.lines[2:] == [
        "0.0",
        "0.0\twithin 1",
        "0.5\twithin 1",
        "1.0\twithin 1",
    ]
    list(track("a"))
    assert printed.lines == ["1.0"]


def test_parts_share_the_whole(printed: Printed) -> None:
    with part(0.2, "Opening"):
        progress(0.5)
    with part(0.8):
        list(track("ab"))
    assert printed.lines == ["0.0\tOpening", "0.1", "0.2", "0.6", "1.0"]


def test_parts_in_parts_and_in_loops_share_those(printed: Printed) -> None:
    with part(0.5):
        for _ in track("ab"):
            with part(0.25):
                progress(1)
            with part(0.75):
                progress(1)
    assert printed.lines == ["0.0", "0.0625", "0.25", "0.3125", "0.5"]


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_not_there_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"at most 1; got .* where 1.0 is left"), part(share):
        pass


def test_shares_beyond_the_whole_are_refused_with_what_is_left(printed: Printed) -> None:
    with part(0.7):
        pass
    with pytest.raises(ValueError, match=r"got 0.5 where 0.3 is left"), part(0.5):
        pass
    with part(0.3):
        progress(1)
    assert printed.lines == ["1.0"]


def test_ten_tenths_are_a_whole(printed: Printed) -> None:
    for _ in range(10):
        with part(0.1):
            progress(1)
    assert printed.lines[-1] == "1.0"


def test_a_fraction_of_a_loop_never_goes_back_and_a_word_of_the_author_counts(printed: Printed) -> None:
    list(track("ab"))
    list(track("ab", "again {n}"))
    progress(0.25)
    list(track("ab"))
    assert printed.lines == [
        *["0.0", "0.5", "1.0"],
        *["1.0\tagain 1", "1.0\tagain 2"],
        *["0.25", "0.5", "1.0"],
    ]


def test_a_fast_loop_prints_its_first_line_and_its_last(printed: Printed) -> None:
    printed.step = 0.0
    printed.now = 100.0
    for _ in track(range(1000), "{n}"):
        for _ in track("ab"):
            pass
    assert printed.lines == ["0.0\t1", "1.0\t1000"]


def test_there_are_twenty_lines_a_second(printed: Printed) -> None:
    printed.step = 0.0
    printed.now = 100.0
    for _ in track(range(1000)):
        printed.now += 0.002  # two seconds in all
    assert 38 <= len(printed.lines) <= 42


def test_a_loop_that_is_left_early_leaves_its_span(printed: Printed) -> None:
    for _ in track("ab"):
        break
    with contextlib.suppress(ZeroDivisionError):
        for _ in track("ab"):
            raise ZeroDivisionError
    progress(0.75)
    assert printed.lines == ["0.0", "0.75"]


def test_an_error_of_the_items_reaches_the_caller(printed: Printed) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(track(items(), total=2))
    progress(0.75)
    assert printed.lines == ["0.0", "0.75"]


def test_a_thread_is_in_the_whole_and_harms_no_loop_of_another(printed: Printed) -> None:
    for _ in track("ab"):
        thread = threading.Thread(target=lambda: list(track("xy")))
        thread.start()
        thread.join()
    progress(0.5)
    assert printed.lines[-1] == "0.5"


def test_lines_of_many_threads_do_not_go_back(printed: Printed) -> None:
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in track(range(200)):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [float(line) for line in printed.lines]
    assert values == sorted(values)
    assert values[-1] == 1.0
