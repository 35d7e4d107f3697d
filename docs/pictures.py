"""Take the pictures of the documentation: ``python docs/pictures.py``, with the extra ``test`` and Chromium.

Each is a screenshot of the real thing. What is run is what the README tells its readers to run.
"""

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import chromium  # noqa: E402 - which Python finds in the directory that was just named
from tests.readme import block  # noqa: E402
from tests.servers.server import serving  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parent / "pictures"

#: Two windows side by side, each with the page of a real server in it.
WINDOWS = """<!doctype html>
<style>
  body {{ margin: 0; padding: 12px; width: 836px; display: flex; gap: 12px; font: 13px sans-serif; background: white }}
  figure {{ flex: 1; margin: 0; border: 1px solid #c8ccd4; border-radius: 8px; overflow: hidden }}
  figcaption {{ padding: 7px 8px; background: #eef0f4; color: #444 }}
  iframe {{ border: 0; width: 100%; height: 84px; display: block }}
</style>
{figures}"""

WINDOW = '<figure><figcaption>{address}</figcaption><iframe src="http://127.0.0.1:{port}{path}"></iframe></figure>'


def take_progress(browser: "Browser") -> None:
    """The README's first program, watched in two windows: it runs for the first, the second waits."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("report.py", "app.py"):
            Path(directory, name).write_text(block(name))
        with serving(["flask", "run", "--port", "0"], Path(directory)) as port:
            paths = {"/": "localhost:5000", "/?name=Grace": "localhost:5000/?name=Grace"}
            figures = [WINDOW.format(address=address, port=port, path=path) for path, address in paths.items()]
            page = browser.new_page(viewport={"width": 860, "height": 140}, device_scale_factor=2)
            page.set_content(WINDOWS.format(figures=figures[0]))
            _wait(page, 0, "Wrote page")
            page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", figures[1])
            _wait(page, 1, "1 build ahead")
            _wait(page, 0, re.compile(r"Wrote page [34]\d of"))
            page.screenshot(path=PICTURES / "progress.png")
            page.close()


def _wait(page: "Page", i: int, message: str | re.Pattern[str]) -> None:
    page.frame_locator(f"iframe >> nth={i}").locator("[part=message]", has_text=message).wait_for()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with chromium() as browser:
        take_progress(browser)
