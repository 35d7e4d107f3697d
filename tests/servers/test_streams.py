"""What is promised of every server, with the settings that the documentation recommends for it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

import pytest

from tests.servers.checks import check_as_fast, check_events_come_one_by_one, check_leaving_is_noticed_at_once
from tests.servers.server import Client, eventually
from tests.servers.sites import JSON_ARRAY, KINDS, MEDIA_TYPES, NDJSON, SERVER_SENT, Kind, Site, running
from workqueue.testing import ScriptedProgram, output, say, wait

#: Short, since tests wait for it; long enough that a busy machine rarely lets one pass between two lines of a test.
HEARTBEAT = 0.25


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(scope="module")
def site(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(kind.command, tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.mark.parametrize("path", ["/generate", "/view"])
@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_each_event_arrives_before_the_next_is_printed(
    site: Site, program: ScriptedProgram, path: str, media_type: str
) -> None:
    """By `GenerateApp` and by `progress_response`, in all three encodings."""
    client = site.watch(program, path, media_type)
    assert client.media_type == media_type
    check_events_come_one_by_one(client, program)


def test_an_event_arrives_within_a_tenth_of_a_second(site: Site, tmp_path: Path) -> None:
    """From when the program is let go to when the client has the event; so all that is in between is in it.

    A program's lines are told 0.05 s apart at the least, and here each comes sooner, so half of the tenth is spent by
    then. The median, since the machine may do something else for a moment; it would have to do so five times of nine.
    """
    names = [str(i) for i in range(10)]
    steps = [step for i, name in enumerate(names) for step in (say(i / 10), wait(name))]
    seconds = []
    with ScriptedProgram(tmp_path / "program", *steps, output(b"")) as program, closing(site.watch(program)) as client:
        client.until(0.0)
        for i, name in enumerate(names[:-1]):
            program.wait_reached(name)
            before = time.perf_counter()
            program.release(name)
            client.until((i + 1) / 10)
            seconds.append(time.perf_counter() - before)
    assert median(seconds) < 0.1, seconds


def test_a_client_that_left_is_noticed(kind: Kind, site: Site, program: ScriptedProgram) -> None:
    """By ASGI servers at once; by WSGI servers within two heartbeats: they notice by writing."""
    if kind.is_asgi:
        check_leaving_is_noticed_at_once(site, program, "/generate")
        check_leaving_is_noticed_at_once(site, program, "/view")
        return
    for path in ("/generate", "/view"):
        with closing(site.watch(program, path, heartbeat=HEARTBEAT, max_duration="none", client=path)) as client:
            client.until(0.25)
            client.event()  # a heartbeat, so the next one is as far away as can be
        n_written = site.n_pieces(program, path)
        eventually(lambda path=path: not site.is_open(program, path))
        assert site.n_watchers(program) == 0
        assert n_written <= site.n_pieces(program, path) <= n_written + 2


def test_without_a_heartbeat_only_asgi_notices(kind: Kind, site: Site, program: ScriptedProgram) -> None:
    """Of two clients that leave a WSGI server, the one whose stream has a heartbeat is noticed."""
    with (
        closing(site.watch(program, heartbeat="none", max_duration="none", client="silent")) as silent,
        closing(site.watch(program, heartbeat=HEARTBEAT, max_duration="none", client="beating")) as beating,
    ):
        silent.until(0.25)
        beating.until(0.25)
    eventually(lambda: not site.is_open(program, "beating"))
    if kind.is_asgi:
        eventually(lambda: not site.is_open(program, "silent"))
    assert site.n_watchers(program) == (0 if kind.is_asgi else 1)
    assert site.n_pieces(program, "silent") == silent.n_events


@pytest.mark.parametrize("path", ["/generate", "/view"])
def test_other_requests_are_served_while_streams_are_open(
    kind: Kind, site: Site, program: ScriptedProgram, path: str, tmp_path: Path
) -> None:
    """As fast as by a server that has no stream; and then each stream, none of which has ended, has its event."""
    (tmp_path / "idle").mkdir()
    with running(kind.command, tmp_path / "idle") as idle, ExitStack() as stack:
        clients = [stack.enter_context(closing(site.watch(program, path))) for _ in range(kind.n_streams)]
        for client in clients:
            client.until(0.25)
        for ping in kind.pings:
            check_as_fast(site, idle, ping)
        program.release("one")
        for client in clients:
            client.until(0.5)
        program.release("two")
        for client in clients:
            assert client.until(1.0)["returncode"] == 0
    assert len(program.runs) == 1


@pytest.mark.parametrize("media_type", [NDJSON, SERVER_SENT])
def test_a_stream_that_was_long_enough_ends_and_its_client_comes_back(
    site: Site, program: ScriptedProgram, media_type: str
) -> None:
    """It ends without a last event; who asks again is told at once where the job is."""
    with closing(site.watch(program, "/generate", media_type, max_duration=2.0)) as client:
        client.until(0.25)
        rest = client.rest()
        assert '"fraction": 0.25' in rest  # a heartbeat: a silent stream ends by that
        assert '"returncode": 0' not in rest
        assert "id: end" not in rest
    client = site.watch(program, "/generate", media_type)
    assert client.event()["fraction"] == 0.25
    program.release("one")
    program.release("two")
    assert client.until(1.0)["returncode"] == 0
    client.close()
    assert len(program.runs) == 1


def test_an_array_never_ends_before_its_job(site: Site, program: ScriptedProgram) -> None:
    with closing(site.watch(program, "/generate", JSON_ARRAY, max_duration=0.1, heartbeat=0.1)) as client:
        client.until(0.25)
        for _ in range(4):
            assert client.event()["fraction"] == 0.25
        program.release("one")
        program.release("two")
        assert client.until(1.0)["returncode"] == 0
        assert client.rest() == "\n]\n"


def test_an_event_source_that_saw_the_end_is_told_to_stop(site: Site, program: ScriptedProgram) -> None:
    """The last event has an id; who comes back with it is answered 204, and no job runs again."""
    program.release("one")
    program.release("two")
    with closing(site.watch(program, "/generate", SERVER_SENT)) as client:
        assert "\nid: end\n" in client.rest()
    query = f"/generate?program={program.path}&job=another"
    with closing(Client(site.port, query, None, Accept=SERVER_SENT, Last_Event_ID="end")) as client:
        assert client.response.status == 204
        assert client.rest() == ""
    assert len(program.runs) == 1
