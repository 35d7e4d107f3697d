"""Whatever lies where a queue reads back what it wrote: a request is answered, soon, and nothing is raised at it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import write_program
from workqueue import WorkQueue
from workqueue.engines.base import SeenEnd
from workqueue.engines.host.ends import encode as encode_end
from workqueue.engines.host.following import Following
from workqueue.engines.host.journal import Journals
from workqueue.engines.host.line import record as said
from workqueue.engines.host.record import Mark, encode
from workqueue.naming import Naming
from workqueue.progress import Progress, failed
from workqueue.storage import DiskStorage

PARAMS = ("a",)
KEY = Naming("program").key(PARAMS)

#: All that is read back; the random parts are such as we make.
FILES = (
    ".jobs/.cancelled",
    ".jobs/.ends",
    ".jobs/.ends-before",
    f".jobs/{KEY}",
    ".jobs/.line/log-0000000001",
    ".jobs/.line/new-0123456789abcdef",
    ".jobs/.line/member-0123456789abcdef",
    f".failed/{KEY}",
    ".evict",
)

RUN = "0123456789abcdef"
FRAMES = [encode(RUN, record) for record in (*Mark, Progress(fraction=0.5), failed("why", 3))]
FRAMES += [
    said.encode(record)
    for record in (
        said.Time(99_999_999_999_999),
        said.Join(RUN, 1, 1, 1),
        said.Runs(RUN, 1, KEY, "-", 0),
        said.Clock(said.NO_LIMIT, said.NO_LIMIT),
        said.Seal(),
    )
]
FRAMES.append(encode_end(SeenEnd(KEY, "", failed("why", 3), None, None, 1e9, "")))
#: A process that is not there runs as many as may, another waits before all.
FRAMES.append(
    b"".join(
        map(
            said.encode, (said.Join(RUN, 9, 9, 9), said.Runs(RUN, 1, KEY, "-", 0), said.Enter(RUN, 2, "b" * 40, "-", 9))
        )
    )
)

#: Bytes of any kind, and those that come near to what we write.
CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(FRAMES),
    st.sampled_from(
        [b"[" * 90_000, b'[1e9, null, "x"]', b"[NaN, 1, null]", b'[9e99, 1, "x"]', b"\n" * 300, b"0" * 70_000]
    ),
    st.builds(lambda number, text: b"\n" + number + b" " + text + b"\n", st.just(RUN.encode()), st.binary(max_size=90)),
)

quick = settings(
    derandomize=True, max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@contextlib.contextmanager
def queue_in(directory: Path) -> Iterator[WorkQueue]:
    program = write_program(directory / "program", "echo built > $output")
    storage = DiskStorage(directory / "storage", ttl=3600, max_bytes=10**6)
    queue = WorkQueue(program, storage=storage, max_running_on_host=1, failure_ttl=60)
    try:
        yield queue
    finally:
        queue.close(0)


@quick
@given(st.dictionaries(st.sampled_from(FILES), CONTENTS, min_size=1))
@example(dict.fromkeys(FILES, b"[" * 90_000))
@example(dict.fromkeys(FILES, b""))
def test_whatever_is_in_the_files_a_request_is_answered(contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory, queue_in(Path(directory)) as queue:
        for name, content in contents.items():
            path = queue.storage_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        queue.jobs(everywhere=True)
        queue.ends()
        job = queue.ensure_run(PARAMS)
        assert job is not None
        assert job.wait(20).returncode == 0
        assert queue.ensure_run(PARAMS) is None
        queue.jobs(everywhere=True)
        assert KEY in [end.key for end in queue.ends()]


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link", "link to itself"])
@pytest.mark.parametrize("name", FILES)
def test_whatever_has_the_name_of_a_file_a_request_is_answered(tmp_path: Path, kind: str, name: str) -> None:
    with queue_in(tmp_path) as queue:
        path = queue.storage_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "directory":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(path if "itself" in kind else "nowhere")
        job = queue.ensure_run(PARAMS)
        assert job is not None
        end = job.wait(20)
        # It is run where nothing needs that file, and else is told what is wrong.
        assert end.returncode == 0 or name.rpartition("/")[2] in str(end.error) or ".line" in str(end.error)
        assert not (queue.storage_dir / "nowhere").exists()


@quick
@given(st.lists(st.tuples(st.sampled_from([0, 128, 256, 1280, 512 * 1024]), CONTENTS), min_size=1, max_size=6))
def test_whatever_is_read_of_another_processs_run_its_job_ends(writes: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as directory, queue_in(Path(directory)) as queue:
        journals = Journals(queue.storage_dir / ".jobs")
        lead = journals.lead(KEY)
        assert lead is not None
        lead.start()
        job = queue.ensure_run(PARAMS)
        assert job is not None
        with (journals.directory / KEY).open("r+b", buffering=0) as file:
            for place, data in writes:
                os.pwrite(file.fileno(), data, place)
        lead.report(failed("why", 3))
        lead.close()
        assert job.wait(20).returncode in (0, 3)


@settings(quick, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 600), CONTENTS), max_size=6), st.integers(0, 2**21))
def test_no_look_at_a_journal_raises(writes: list[tuple[int, bytes]], n_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, KEY)
        path.touch()
        os.truncate(path, n_bytes)
        following = Following(Journals(Path(directory)), KEY)
        with path.open("r+b", buffering=0) as file:
            for place, data in writes:
                os.pwrite(file.fileno(), data, place)
                standing = following.look()
                assert standing.is_lost or standing.end is not None
        Journals(Path(directory)).is_led(KEY)
        Journals(Path(directory)).mark_cancelled(KEY)
        following.close()
