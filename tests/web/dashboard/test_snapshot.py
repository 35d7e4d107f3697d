"""What the page is told."""

from workqueue.engines import SeenEnd, SeenRun
from workqueue.progress import Progress, cancelled, failed, failed_exit, succeeded
from workqueue.web.dashboard.snapshot import MAX_ENDS, MAX_JOBS, snapshot

NOW = 1_700_000_000.0


def running(key: str, began_at: float | None = NOW - 5, fraction: float = 0.5, message: str | None = None) -> SeenRun:
    return SeenRun(key, "t", True, 0, Progress(0, fraction, message), NOW - 9, began_at, "17", 3)


def waiting(key: str, n_ahead: int) -> SeenRun:
    return SeenRun(key, "", False, n_ahead, Progress(n_ahead), NOW - 3)


def ended(key: str, progress: Progress, ended_at: float = NOW - 1, stderr: str = "") -> SeenEnd:
    return SeenEnd(key, "", progress, NOW - 9, NOW - 5, ended_at, stderr)


def test_a_queue_of_which_nothing_is_known() -> None:
    seen = snapshot([], [], None, NOW)
    assert (seen["running"], seen["waiting"], seen["jobs"], seen["ends"]) == (0, 0, [], [])
    assert (seen["outcomes"], seen["known_since"], seen["max_running"]) == ({}, None, None)


def test_a_job_that_runs() -> None:
    [row] = snapshot([running("a", message="half")], [], 2, NOW)["jobs"]
    assert row == {
        "key": "a",
        "tenant": "t",
        "is_running": True,
        "n_ahead": 0,
        "fraction": 0.5,
        "message": "half",
        "queued_at": NOW - 9,
        "began_at": NOW - 5,
        "process": "17",
        "watchers": 3,
    }


def test_those_that_run_come_first_and_those_that_wait_in_the_order_of_the_line() -> None:
    jobs = [waiting("d", 3), running("b", NOW - 1), waiting("c", 2), running("a", NOW - 2)]
    seen = snapshot(jobs, [], None, NOW)
    assert [row["key"] for row in seen["jobs"]] == ["a", "b", "c", "d"]
    assert (seen["running"], seen["waiting"]) == (2, 2)


def test_of_many_the_first_are_told_and_how_many_there_are() -> None:
    jobs = [running("r"), *(waiting(str(i), i) for i in range(2000))]
    seen = snapshot(jobs, [], 1, NOW)
    assert (len(seen["jobs"]), seen["waiting"]) == (MAX_JOBS, 2000)
    assert [row["key"] for row in seen["jobs"]] == ["r", *(str(i) for i in range(MAX_JOBS - 1))]
    assert seen["history"]["waiting"][-1] == 2000


def test_how_jobs_ended() -> None:
    failure = ended("f", failed_exit(3, "first line\nlast line"), stderr="first line\nlast line\n")
    ends = [ended("s", succeeded()), ended("c", cancelled()), failure, ended("l", failed("It took too long."))]
    seen = snapshot([], ends, None, NOW)
    assert seen["outcomes"] == {"succeeded": 1, "cancelled": 1, "failed": 2}
    rows = {row["key"]: (row["outcome"], row["returncode"], row["reason"], row["has_stderr"]) for row in seen["ends"]}
    assert rows == {
        "s": ("succeeded", 0, "", False),
        "c": ("cancelled", -998, "The job was cancelled.", False),
        "f": ("failed", 3, "last line", True),
        "l": ("failed", -999, "It took too long.", False),
    }
    assert "first line" not in str(seen)


def test_what_ended_longer_ago_is_not_told() -> None:
    assert snapshot([], [ended("a", succeeded(), NOW - 3601)], None, NOW)["ends"] == []


def test_where_older_ends_were_forgotten_it_is_said_since_when_they_are_known() -> None:
    ends = [ended(str(i), succeeded(), NOW - i) for i in range(MAX_ENDS)]
    seen = snapshot([], ends, None, NOW)
    assert seen["known_since"] == NOW - MAX_ENDS + 1
    assert seen["history"]["running"][0] is None
    assert snapshot([], ends[1:], None, NOW)["known_since"] is None


def test_a_long_message_is_cut() -> None:
    [row] = snapshot([running("a", message="x" * 70_000)], [], None, NOW)["jobs"]
    assert row["message"] == "x" * 199 + "…"
