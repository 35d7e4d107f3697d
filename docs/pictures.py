"""Take the pictures of the documentation: ``python docs/pictures.py``, with the extra ``test`` and Chromium.

Each is a screenshot of the real thing: a program that runs, a server that is asked, an element in a page.

``pictures/progress.png``   the README's first program, watched in two windows
``pictures/states-*.png``   the element in each state in which it shows something, light and dark
"""

import base64
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.browser.chromium import chromium
from tests.readme import block
from tests.servers.server import Server, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PICTURES: Final = Path(__file__).parent / "pictures"

#: Two windows side by side, each with the page of a real server in it.
WINDOWS: Final = """<!doctype html>
<style>
  body {{ margin: 0; padding: 12px; width: 836px; display: flex; gap: 12px; font: 13px sans-serif; background: white }}
  figure {{ flex: 1; margin: 0; border: 1px solid #c8ccd4; border-radius: 8px; overflow: hidden }}
  figcaption {{ padding: 7px 8px; background: #eef0f4; color: #444 }}
  iframe {{ border: 0; width: 100%; height: 84px; display: block }}
</style>
{figures}"""

WINDOW: Final = """<figure>
  <figcaption>{address}</figcaption><iframe src="http://127.0.0.1:{port}{path}"></iframe>
</figure>"""

#: A program that does what its argument says.
STATES_PROGRAM: Final = """
import sys, time
kind, output = sys.argv[1:]
if kind == "failed":
    sys.exit("The document set was deleted")
if kind == "starting":
    time.sleep(600)
if kind == "running":
    for i in range(1, 601):
        time.sleep(0.2)
        print(f"{i / 100}\\tRead {i} of 100 documents")
open(output, "w").write(kind)
"""

#: Two queues. In the one that is full, one build runs and one waits.
STATES_APP: Final = """
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response
from workqueue import WorkQueue
from workqueue.web.wsgi import GenerateApp

free = WorkQueue("states.py", storage_dir="free", max_running=4)
full = WorkQueue("states.py", storage_dir="full", max_running=1)
for kind in ("starting", "done"):
    full.ensure_run((kind,))
apps = {path: GenerateApp(queue, params=lambda fields: (fields["kind"],))
        for path, queue in (("/free", free), ("/full", full))}
page = open("page.html").read()
app = DispatcherMiddleware(lambda *call: Response(page, content_type="text/html")(*call), apps)
"""

#: Where the element of each state asks, and the part by which one sees that it is in that state.
STATES: Final = {
    "queued": ("/full?kind=queued", "message", "2 builds ahead"),
    "starting": ("/free?kind=starting", "message", "Starting"),
    "running": ("/free?kind=running", "remaining", "left"),
    "done": ("/free?kind=done", "message", "Done"),
    "failed": ("/free?kind=failed", "reason", "deleted"),
}

STATES_PAGE: Final = """<!doctype html><html lang="en">
<meta name="color-scheme" content="{scheme}">
<style>workqueue-progress {{ display: block; width: 270px; margin: 12px }}</style>
<script type="module" src="/free/workqueue.js"></script>
{elements}"""

#: Their pictures, put together.
GRID: Final = """<!doctype html>
<meta name="color-scheme" content="{scheme}">
<style>
  body {{ margin: 0; padding: 12px; width: 876px; font: 13px sans-serif;
          display: grid; grid-template-columns: repeat(3, 280px); gap: 12px 18px }}
  figure {{ margin: 0 }} img {{ width: 270px }} figcaption {{ color: GrayText; margin-bottom: 6px }}
</style>
{figures}"""


def take_progress(browser: "Browser") -> None:
    """The README's first program: it runs for the first window, the second waits."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("report.py", "app.py"):
            Path(directory, name).write_text(block(name))
        with serving(["flask", "run", "--port", "0"], Path(directory)) as port:
            paths = {"/": "localhost:5000", "/?name=Grace": "localhost:5000/?name=Grace"}
            figures = [WINDOW.format(address=address, port=port, path=path) for path, address in paths.items()]
            page = browser.new_page(viewport={"width": 860, "height": 140}, device_scale_factor=2)
            page.set_content(WINDOWS.format(figures=figures[0]))
            _message(page, 0, "Wrote page").wait_for()
            page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", figures[1])
            _message(page, 1, "1 build ahead").wait_for()
            _message(page, 0, re.compile(r"Wrote page [34]\d of")).wait_for()
            _save("progress", page)


def _message(page: "Page", i: int, message: str | re.Pattern[str]) -> "Locator":
    return page.frame_locator(f"iframe >> nth={i}").locator("[part=message]", has_text=message)


def take_states(browser: "Browser", scheme: Literal["light", "dark"]) -> None:
    """The element in each state; the connection is lost since the server is killed."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        elements = "\n".join(
            f'<workqueue-progress id="{state}" label="Search index" src="{source}"></workqueue-progress>'
            for state, (source, _, _) in STATES.items()
        )
        (directory / "page.html").write_text(STATES_PAGE.format(scheme=scheme, elements=elements))
        (directory / "states.py").write_text(STATES_PROGRAM)
        (directory / "app.py").write_text(STATES_APP)
        page = browser.new_page(viewport={"width": 300, "height": 700}, device_scale_factor=2, color_scheme=scheme)
        with Server(["waitress", "--threads", "8", "--listen", "127.0.0.1:0", "app:app"], directory) as server:
            page.goto(f"http://127.0.0.1:{server.port}/")
            pictures = {state: _picture(page, state, part, text) for state, (_, part, text) in STATES.items()}
            server.process.kill()
            lost = {"connection lost": _picture(page, "running", "connection", "Connection lost")}
        page.close()
    order = {**dict(list(pictures.items())[:3]), **lost, **dict(list(pictures.items())[3:])}
    _take_grid(browser, scheme, order)


def _picture(page: "Page", state: str, part: str, text: str) -> bytes:
    element = page.locator(f"#{state}")
    element.locator(f"[part={part}]", has_text=text).wait_for()
    return element.screenshot()


def _take_grid(browser: "Browser", scheme: Literal["light", "dark"], pictures: dict[str, bytes]) -> None:
    figures = "\n".join(
        f'<figure><figcaption>{name}</figcaption><img src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        "</figure>"
        for name, data in pictures.items()
    )
    page = browser.new_page(viewport={"width": 900, "height": 100}, device_scale_factor=2, color_scheme=scheme)
    page.set_content(GRID.format(scheme=scheme, figures=figures))
    _save(f"states-{scheme}", page)


def _save(name: str, page: "Page") -> None:
    """As a PNG of 128 colors, which is a third of what the browser makes; and close the page."""
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(PICTURES / f"{name}.png", optimize=True)
    page.close()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with chromium() as browser:
        take_progress(browser)
        take_states(browser, "light")
        take_states(browser, "dark")
