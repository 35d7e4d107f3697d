"""The twenty lines of docs/index.rst, copied out and served."""

from contextlib import closing
from pathlib import Path

from tests.readme import DOCS, block, blocks
from tests.servers.server import Client, Server, get

PAGE = DOCS / "index.rst"
_SLOW = "time.sleep(0.5)  # the slow part"


def test_the_twenty_lines_show_progress_and_an_end(tmp_path: Path) -> None:
    program = block("report.py", PAGE)
    assert program.count(_SLOW) == 1
    (tmp_path / "report.py").write_text(program.replace("time.sleep(0.5)", "time.sleep(0.06)"))
    (tmp_path / "plugin.py").write_text(block("plugin.py", PAGE))
    with Server(["flask", "--app", "plugin", "run", "--port", "0"], tmp_path) as server:
        page = get(server.port, "/")
        assert '<script type="module" src="/generate/workqueue.js">' in page
        address = page.partition('<workqueue-progress src="')[2].partition('"')[0]
        with closing(Client(server.port, address, Accept="application/x-ndjson")) as client:
            events = [client.event()]
            while events[-1]["returncode"] is None:
                events.append(client.event())
        messages = {event["message"] for event in events[:-1]}
        assert "Wrote page 1 of 20" in messages
        assert events[-1]["returncode"] == 0
        with closing(Client(server.port, address, Accept="application/x-ndjson")) as client:
            assert client.event()["returncode"] == 0
    assert set(blocks(PAGE)) == {"report.py", "plugin.py"}
