"""A recipe of the documentation, served by the server that the documentation names."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.readme import DOCS, block, blocks
from tests.servers.server import Server
from workqueue.testing import ScriptedProgram, output, say, wait

WEB = DOCS / "web.rst"
#: The pages of the frameworks and servers, and of the dashboard in them.
_NAMES = "flask", "django", "fastapi", "starlette", "quart", "litestar", "aiohttp", "websocket", "servers", "dashboard"
RECIPES = [DOCS / f"{name}.rst" for name in _NAMES]

UVICORN = ["uvicorn", "--port", "0"]
GUNICORN = ["gunicorn", "--worker-class", "gthread", "--threads", "8", "--bind", "127.0.0.1:0"]
# Without workers it serves in the process that was started, where the spy is.
HYPERCORN = ["hypercorn", "--workers", "0", "--bind", "127.0.0.1:0"]
WAITRESS = ["waitress", "--threads", "8", "--listen", "127.0.0.1:0"]

#: What each run of the program does: it stands at 0.25, then at 0.5, each time until it is told to go on.
STEPS = say(0.25, "one"), wait("one"), say(0.5, "two"), wait("two"), output(b"the database")


@dataclass
class Served:
    """A recipe while it is served."""

    port: int
    directory: Path
    program: ScriptedProgram


def recipe(name: str) -> str:
    """The text of the recipe with this name, on whichever page it is."""
    [page] = [page for page in (WEB, *RECIPES) if name in blocks(page)]
    return block(name, page)


@contextmanager
def served(
    name: str,
    command: list[str],
    directory: Path,
    edit: Callable[[str], str] = lambda text: text,
    **environment: str,
) -> Iterator[Served]:
    """Write the recipe, edited, and its program into a directory, and start its server there."""
    (directory / name).write_text(edit(recipe(name)))
    with ScriptedProgram(directory / "program", *STEPS) as program:
        (directory / "process-docset.py").symlink_to(program.path)
        # A recipe that a framework warns about is out of date.
        with Server(
            ["tests.recipes.spy", *command], directory, PORT="0", PYTHONWARNINGS="error", **environment
        ) as server:
            try:
                yield Served(server.port, directory, program)
            finally:
                program.close()  # a run that a failed test left waiting would keep the server from stopping
