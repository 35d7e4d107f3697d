"""What the page of `workqueue demo --cluster` asks for, answered in this process beside real servers and workers."""

import tempfile
from pathlib import Path

import pytest

from tests.cluster.nats_servers import find_nats
from tests.conftest import write_program
from tests.demo.conftest import TOKEN, basic
from tests.servers.server import TIMEOUT
from workqueue import OverviewViewParams, WorkQueue
from workqueue.demo.cluster.cluster import open_cluster
from workqueue.demo.cluster.control import create_control
from workqueue.demo.cluster.workers import Work
from workqueue.demo.plugin import create_plugin

HERE = "http://127.0.0.1:8765"
PARAMS = OverviewViewParams("http://127.0.0.1:9", "7", TOKEN)
SECRET = basic(TOKEN)


@pytest.mark.usefixtures("_loop")
def test_nodes_are_told_of_killed_and_started_for_the_page_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where its own nodes look for it: on PATH, or beside the interpreter.
    monkeypatch.setenv("PATH", str(Path(find_nats()).parent), prepend=":")
    program = write_program(tmp_path / "program", 'echo built > "$output"')
    work = Work(program, str(tmp_path / "results"), None)
    with (
        tempfile.TemporaryDirectory(dir=tmp_path) as scratch,
        open_cluster(work, Path(scratch)) as cluster,
        WorkQueue(program, storage_dir=tmp_path / "results", engine=cluster.engine) as queue,
    ):
        app = create_plugin(queue, page="cluster.html")
        app.register_blueprint(create_control(cluster, queue, PARAMS, [HERE]))
        page = app.test_client()

        def post(what: str, node: str = "", origin: str = HERE, **headers: str) -> int:
            told = {**(headers or SECRET), "Origin": origin}
            return page.post(f"/cluster/{what}", json={"node": node}, headers=told).status_code

        def pid_of(name: str) -> int | None:
            answer = page.get("/cluster/nodes", headers=SECRET)
            assert answer.headers["Cache-Control"] == "no-store"
            return next(node["pid"] for node in answer.get_json()["nodes"] if node["name"] == name)

        assert page.get("/cluster/nodes").status_code == 401
        assert post("kill", "worker-1", origin="http://elsewhere.example") == 403
        assert post("kill", "worker-1", **basic("another")) == 401
        assert post("kill", "worker-9") == 404
        first = pid_of("worker-1")
        assert first is not None
        assert post("kill", "worker-1") == 204
        assert pid_of("worker-1") is None
        assert post("start", "worker-1") == 204
        assert pid_of("worker-1") not in (None, first)

        assert queue.build(PARAMS, timeout=TIMEOUT).returncode == 0
        assert queue.ensure_run(PARAMS) is None
        assert post("again") == 204
        assert queue.ensure_run(PARAMS) is not None
