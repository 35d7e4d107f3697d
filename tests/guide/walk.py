"""The files and commands of docs/tutorial.rst, as its readers would copy them."""

import shlex
from pathlib import Path

from tests.readme import DOCS, block

PAGE = DOCS / "tutorial.rst"
FILES = ["report.py", "plugin.py", "page.html"]

_SLOW = "time.sleep(0.5)  # the slow part"
#: What takes as long as the test wants, in place of half a second: as many pages are written as the file has bytes.
_GATED = 'while Path("allowed").stat().st_size < page: time.sleep(0.005)'


class Folder:
    """The reader's folder, with the files of the page; the program writes a page when it is allowed to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in FILES:
            text = block(name, PAGE)
            if name == "report.py":
                assert text.count(_SLOW) == 1
                text = text.replace(_SLOW, _GATED)
            (path / name).write_text(text)
        self._allowed = path / "allowed"
        self._allowed.touch()

    def allow(self, n_pages: int) -> None:
        """From now on the program writes pages up to this number."""
        self._allowed.write_bytes(b"." * n_pages)

    def run(self, name: str) -> None:
        """Do what a command of the page does to a file: `touch` or `rm` it."""
        [_, command, file] = shlex.split(block(name, PAGE))
        if command == "touch":
            (self.path / file).touch()
        else:
            assert command == "rm"
            (self.path / file).unlink()


def server(name: str, port: int = 0) -> list[str]:
    """The page's command for a server, at this port."""
    prompt, *words = shlex.split(block(name, PAGE))
    assert prompt == "$"
    return [*words, "--port", str(port)] if name == "flask" else [*words, "--bind", f"127.0.0.1:{port}"]
