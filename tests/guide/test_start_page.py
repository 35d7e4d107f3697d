"""The twenty lines of docs/index.rst, copied out and served."""

from contextlib import closing
from pathlib import Path

from tests.readme import DOCS, block, blocks
from tests.servers.server import Client, Server, get

PAGE = DOCS / "index.rst"
_SLOW = "time.sleep(0.5)  # the slow part"
_GATED = 'while not os.path.exists("go-on"): time.sleep(0.005)'


def test_the_twenty_lines_show_progress_and_an_end(tmp_path: Path) -> None:
    program = block("report.py", PAGE)
    assert program.count(_SLOW) == 1
    (tmp_path / "report.py").write_text("import os\n" + program.replace(_SLOW, _GATED))
    (tmp_path / "plugin.py").write_text(block("plugin.py", PAGE))
    with Server(["flask", "--app", "plugin", "run", "--port", "0"], tmp_path) as server:
        page = get(server.port, "/")
        assert '<script type="module" src="/generate/workqueue.js">' in page
        address = page.partition('<workqueue-progress src="')[2].partition('"')[0]
        with closing(Client(server.port, address, Accept="application/x-ndjson")) as client:
            while client.event()["message"] != "Writing page 1 of 20":
                pass
            (tmp_path / "go-on").touch()
            # The program's last line says 1.0 too; the end is the event with a returncode.
            while (event := client.event())["returncode"] is None:
                pass
            assert event["returncode"] == 0
        with closing(Client(server.port, address, Accept="application/x-ndjson")) as client:
            assert client.event()["returncode"] == 0
    assert set(blocks(PAGE)) == {"report.py", "plugin.py"}
