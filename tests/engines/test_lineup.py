"""Who is ahead of whom, against a model that counts."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from workqueue.engines.lineup import LineUp


@given(st.lists(st.tuples(st.sampled_from(["enter", "enter", "start", "leave"]), st.integers(0, 50)), max_size=60))
def test_every_place_is_what_one_would_count(steps: list[tuple[str, int]]) -> None:
    """Tasks enter, start and leave in any order; every place is asked after each step."""
    line = LineUp()
    waiting: list[int] = []
    running: list[int] = []
    gone: list[int] = []
    for step, which in steps:
        if step == "enter":
            waiting.append(line.enter())
        elif step == "start" and waiting:
            number = waiting.pop(which % len(waiting))
            line.start(number)
            running.append(number)
        elif step == "leave" and waiting + running:
            number = (waiting + running)[which % len(waiting + running)]
            line.leave(number)
            (waiting if number in waiting else running).remove(number)
            gone.append(number)
        assert [line.n_ahead(number) for number in waiting] == [len(running) + i for i in range(len(waiting))]
        assert {line.n_ahead(number) for number in running + gone} <= {0}


def test_threads_that_come_and_go_leave_an_empty_line() -> None:
    line = LineUp()
    barrier = threading.Barrier(4)

    def come_and_go() -> None:
        barrier.wait(10)
        for i in range(300):
            number = line.enter()
            line.n_ahead(number)
            if i % 3:
                line.start(number)
            line.leave(number)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert line.n_ahead(line.enter()) == 0
