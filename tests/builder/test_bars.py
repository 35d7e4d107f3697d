"""The stand-in for tqdm: what a program gets that changes one import line; beside the real one."""

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.builder.conftest import Printed, Run
from workqueue.builder import part, progress, tqdm, trange
from workqueue.builder.bars import shown_size
from workqueue.cli.adapters import Tqdm


def test_a_loop_is_told_by_its_items_that_are_done(printed: Printed) -> None:
    assert list(tqdm("ab", desc="Reading")) == ["a", "b"]
    assert printed.lines == ["0.0\tReading: 0/2", "0.5\tReading: 1/2", "1.0\tReading: 2/2"]


def test_a_bar_is_moved_by_hand(printed: Printed) -> None:
    with tqdm(total=10, initial=5) as bar:
        bar.set_description("Loading")
        bar.update(2)
        bar.set_postfix(loss=0.123456, step="a")
        bar.set_postfix_str("nearly")
        bar.update()
    assert printed.lines == [
        "0.5\t5/10",
        "0.5\tLoading: 5/10",
        "0.7\tLoading: 7/10",
        "0.7\tLoading: 7/10, loss=0.123, step=a",
        "0.7\tLoading: 7/10, nearly",
        "0.8\tLoading: 8/10, nearly",
    ]
    bar.update(2)
    bar.close()
    assert (bar.n, printed.lines) == (8, [])


def test_without_a_total_the_count_moves(printed: Printed) -> None:
    list(tqdm(iter("ab"), unit=" files"))
    assert printed.lines == ["0.0\t0 files", "0.0\t1 files", "0.0\t2 files"]


def test_a_bar_that_was_disabled_prints_nothing_and_passes_all_on(printed: Printed) -> None:
    assert list(tqdm("ab", disable=True)) == ["a", "b"]
    with tqdm(total=3, disable=True) as bar:
        bar.update()
        bar.set_description("x")
        progress(0.5)
    assert printed.lines == ["0.5"]


def test_none_to_disable_means_no_terminal_to_tqdm_and_nothing_here(printed: Printed) -> None:
    list(tqdm("a", disable=None))
    assert printed.lines[-1] == "1.0\t1/1"


def test_a_bar_in_a_bar_and_a_part_refines_them(printed: Printed) -> None:
    with part(0.5), tqdm(total=2) as outer:
        for _ in range(2):
            for _ in trange(2):
                pass
            outer.update()
    values = [float(line.split("\t")[0]) for line in printed.lines]
    assert values == sorted(values)
    assert list(dict.fromkeys(values)) == [0.0, 0.125, 0.25, 0.375, 0.5]


def test_a_bar_that_nobody_closes_is_left_when_it_is_gone(printed: Printed) -> None:
    bar = tqdm(total=2)
    del bar
    progress(0.75)
    assert printed.lines[-1] == "0.75"


def test_a_fast_loop_prints_its_first_line_and_its_last(printed: Printed) -> None:
    printed.step = 0.0
    printed.now = 100.0
    list(trange(100_000, desc="fast", unit="it"))
    assert printed.lines == ["0.0\tfast: 0/100000", "1.0\tfast: 100000/100000"]


def test_reset_begins_to_count_anew_and_does_not_go_back(printed: Printed) -> None:
    with tqdm(total=2) as bar:
        bar.update()
        bar.reset(total=4)
        bar.update(3)
    assert printed.lines == ["0.0\t0/2", "0.5\t1/2", "0.5\t0/4", "0.75\t3/4"]


def test_text_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    tqdm.write("a", file=sys.stdout)
    tqdm.write("b", end="")
    other = io.StringIO()
    tqdm.write("c", file=other)
    assert capfd.readouterr() == ("", "a\nb")
    assert other.getvalue() == "c\n"


@pytest.mark.parametrize(("n", "total"), [(float("nan"), 2), (-1, 2), (5, 2), (1, float("inf")), (1, 0), (1, -3)])
def test_numbers_that_make_no_fraction_stop_nothing(printed: Printed, n: float, total: float) -> None:
    with tqdm(total=total) as bar:
        bar.update(n)
    assert all(0.0 <= float(line.split("\t")[0]) <= 1.0 for line in printed.lines)


def use_like(kind: Callable[..., Any], **drawing: object) -> None:
    """What programs do with tqdm."""
    with kind(total=3000, desc="Loading", unit="B", unit_scale=True, **drawing) as bar:
        for n in (1, 9, 1490, 1500):
            bar.update(n)
    for _ in kind(range(3), "Reading", leave=False, ncols=80, **drawing):
        pass
    for _ in kind(iter("abc"), unit="files", colour="red", **drawing):
        pass
    with kind([1, 2], "Training", 2, True, postfix={"epoch": 1}, **drawing) as bar:
        for _ in bar:
            bar.set_postfix(loss=0.00012345, accuracy=0.5, step=12345678, note=" x ")
    with kind(total=2, unit_scale=0.5, **drawing) as bar:
        bar.set_description_str("Half: ")
        bar.update(3)


def test_it_says_what_the_real_one_draws(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pytest.importorskip("tqdm", reason="tqdm is not installed; it comes with the extra 'test'")
    monkeypatch.setattr(real.tqdm, "monitor_interval", 0)  # else a thread is started
    drawn = io.StringIO()
    use_like(real.tqdm, file=drawn, mininterval=0, miniters=1)
    adapter = Tqdm()
    told = [
        adapted.message
        for line in re.split(r"[\r\n]", drawn.getvalue())
        if (adapted := adapter.read(line, is_whole=True, is_new_row=False)) is not None
    ]
    use_like(tqdm, mininterval=0, miniters=1)
    messages = [line.partition("\t")[2] for line in printed.lines]
    # Where each stands is drawn by both; how often it is drawn again differs.
    assert list(dict.fromkeys(messages)) == list(dict.fromkeys(told))


@pytest.mark.parametrize("number", [0, 1, 9.994, 9.996, 12.34, 99.96, 999, 999.6, 1024, 123456789, 10**26])
@pytest.mark.parametrize("divisor", [1000, 1024])
def test_sizes_are_those_of_the_real_one(number: float, divisor: int) -> None:
    real = pytest.importorskip("tqdm", reason="tqdm is not installed; it comes with the extra 'test'")
    assert shown_size(number, divisor) == real.tqdm.format_sizeof(number, divisor=divisor)


def test_it_has_no_names_of_its_own() -> None:
    real = pytest.importorskip("tqdm", reason="tqdm is not installed; it comes with the extra 'test'")
    assert {name for name in dir(tqdm) if not name.startswith("_")} <= set(dir(real.tqdm))


def test_one_import_line_is_all_that_a_program_changes(run: Run) -> None:
    program = "from {module} import tqdm, trange\nfor i in tqdm(range(2), desc='x'): pass\nfor i in trange(2): pass\n"
    done = run(program.format(module="workqueue.builder"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "0.0\tx: 0/2"
    assert done.stdout.splitlines()[-1] == "1.0\t2/2"
