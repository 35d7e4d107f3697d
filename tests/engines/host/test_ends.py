"""Ends: kept by any process for all, in their order, bounded, whatever becomes of the files and of those who write."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workqueue.engines.base import SeenEnd
from workqueue.engines.host import ends
from workqueue.engines.host.ends import BEFORE, MAX_ENDS, MAX_LINE, NAME, Ends, decode, encode, stderr_of
from workqueue.progress import Progress, cancelled, failed, failed_exit, succeeded

KEY = "a" * 40
NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends.time, "time", lambda: NOW)


def end_of(number: int = 0, progress: Progress | None = None, at: float = NOW) -> SeenEnd:
    progress = progress or succeeded()
    return SeenEnd(f"{number:040x}", "", progress, at - 2, at - 1, at, stderr_of(progress.error))


def numbers(found: list[SeenEnd]) -> list[int]:
    return [int(end.key, 16) for end in found]


def decoded(end: SeenEnd) -> SeenEnd | None:
    line = encode(end)
    assert line.startswith(b"\n")
    assert line.endswith(b"\n")
    assert b"\n" not in line[1:-1]
    return decode(line[1:-1])


@pytest.mark.parametrize(
    "end",
    [
        end_of(1),
        end_of(2, failed_exit(3, "why\nnot")),
        end_of(3, failed("The disk is full.")),
        end_of(4, cancelled()),
        end_of(5, failed_exit(1, "\x00\ud800\N{GRINNING FACE}")),
        SeenEnd(KEY, "0123456789abcdef", failed_exit(-9, ""), None, None, NOW, ""),
    ],
)
def test_an_end_comes_back_as_it_was_said(end: SeenEnd) -> None:
    assert decoded(end) == end


@given(st.text(max_size=9000), st.text(max_size=9000), st.sampled_from(["", "\nstderr:\n"]))
def test_whatever_the_error_is_a_line_is_bounded_and_keeps_the_end_of_stderr(one: str, other: str, mark: str) -> None:
    error = one + mark + other
    line = encode(end_of(1, failed(error)))
    assert len(line) <= MAX_LINE + 11
    end = decode(line[1:-1])
    assert end is not None
    kept = end.progress.error
    assert kept is not None
    reason, _, stderr = error.partition("\nstderr:\n")
    assert reason.startswith(kept.partition("\nstderr:\n")[0])
    assert stderr.endswith(end.stderr)
    if stderr.isascii() and stderr.isprintable() and len(stderr) < 2000:
        assert end.stderr == stderr


@given(st.binary(max_size=300))
def test_nothing_else_is_an_end(line: bytes) -> None:
    assert decode(line) is None


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([KEY, "", None, True, 0, -1, 2**40, 1e12, float("nan"), float("inf"), "x", [], NOW, "why"]),
            st.integers(),
            st.floats(),
        ),
        min_size=6,
        max_size=8,
    )
)
def test_what_is_said_in_our_frame_is_looked_at_field_by_field(fields: list[object]) -> None:
    import json
    import zlib

    text = json.dumps(fields).encode()
    end = decode(text + b" %08x" % zlib.crc32(text))
    if end is not None:
        assert end.key == KEY
        assert (end.progress.returncode == 0) == (end.progress.error is None)
        assert all(time is None or 0 <= time <= 1e11 for time in (end.queued_at, end.began_at, end.ended_at))


def test_they_are_told_newest_first_by_whoever_looks(tmp_path: Path) -> None:
    one, other = Ends(tmp_path), Ends(tmp_path)
    for number, keeper in enumerate((one, other, one)):
        keeper.add(end_of(number))
    assert numbers(other.read()) == [2, 1, 0]
    assert numbers(Ends(tmp_path).read()) == [2, 1, 0]


def test_where_nothing_has_ended_there_is_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    assert Ends(tmp_path / "storage").read() == []
    assert list(tmp_path.iterdir()) == []


def test_those_of_the_last_hour_are_told_and_no_more_than_so_many(tmp_path: Path) -> None:
    keeper = Ends(tmp_path)
    keeper.add(end_of(0, at=NOW - 3601))
    keeper.add(end_of(1, at=NOW - 3599))
    assert numbers(keeper.read()) == [1]
    for number in range(2, MAX_ENDS + 2):
        keeper.add(end_of(number))
    assert numbers(keeper.read()) == list(range(MAX_ENDS + 1, 1, -1))


def test_the_files_are_bounded_and_the_last_are_always_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "MAX_BYTES", 10_000)
    monkeypatch.setattr(ends, "MAX_ENDS", 20)
    keeper = Ends(tmp_path)
    for number in range(300):
        keeper.add(end_of(number))
        assert numbers(keeper.read()) == list(range(number, max(-1, number - 20), -1))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * 10_400
    assert {path.name for path in tmp_path.iterdir()} == {NAME, BEFORE}


def test_of_many_writers_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "MAX_BYTES", 20_000)
    barrier = threading.Barrier(4)

    def write(first: int) -> None:
        keeper = Ends(tmp_path)
        barrier.wait()
        for number in range(first, first + 40):
            keeper.add(end_of(number))

    threads = [threading.Thread(target=write, args=(1000 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = numbers(Ends(tmp_path).read())
    assert sorted(found) == sorted(1000 * i + j for i in range(4) for j in range(40))
    for i in range(4):
        assert [n for n in found if n // 1000 == i] == list(range(1000 * i + 39, 1000 * i - 1, -1))


_KILLED = """
import os, sys, signal
from pathlib import Path
from workqueue.engines.host import ends
from tests.engines.host.test_ends import end_of
number = int(sys.argv[2])
write = os.write
def cut(fd, data):
    write(fd, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = cut
ends.Ends(Path(sys.argv[1])).add(end_of(number))
"""


def test_a_process_that_is_killed_while_it_writes_spoils_no_other(tmp_path: Path) -> None:
    keeper = Ends(tmp_path)
    keeper.add(end_of(1))
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), "2"], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    keeper.add(end_of(3))
    assert numbers(keeper.read()) == [3, 1]


def test_one_that_is_stopped_between_its_look_and_its_move_moves_no_new_file(tmp_path: Path, mocker) -> None:  # type: ignore[no-untyped-def]
    """Two find the file long at once: the second to move would put the new, short one in the place of the old."""
    mocker.patch.object(ends, "MAX_BYTES", 1)
    one, other = Ends(tmp_path), Ends(tmp_path)
    one.add(end_of(0))
    real = ends.try_lock

    def after_another(fd: int) -> bool:
        mocker.patch.object(ends, "try_lock", real)
        other.add(end_of(2))  # to the same file, which it moves
        assert (tmp_path / BEFORE).exists()
        mocker.patch.object(ends, "MAX_BYTES", 10**6)
        other.add(end_of(3))  # to a new one
        return real(fd)

    mocker.patch.object(ends, "try_lock", after_another)
    one.add(end_of(1))
    assert numbers(one.read()) == [3, 2, 1]


@pytest.mark.parametrize("torn", [b"\n", b"\xff\xfe\n", b"[" * 90_000, b"0" * 100_000, b'["a"] 00000000\n', b"\n\n"])
def test_whatever_else_is_in_the_files_the_ends_are_told(tmp_path: Path, torn: bytes) -> None:
    keeper = Ends(tmp_path)
    keeper.add(end_of(1))
    for name in (NAME, BEFORE):
        with (tmp_path / name).open("ab") as file:
            file.write(torn)
    keeper.add(end_of(2))
    assert numbers(keeper.read()) == [2, 1]


@pytest.mark.parametrize("kind", ["directory", "link", "fifo", "nowhere"])
def test_what_cannot_be_written_raises_nothing(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / ("nowhere" if kind == "nowhere" else "")
    path = directory / NAME
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("elsewhere")
    Ends(directory).add(end_of(1))
    assert "cannot keep how a run ended" in caplog.text
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "nowhere").exists()
