"""Words that people search for, and the page that the built search must find first; a warning where it does not.

Sphinx's search gives an entry of ``.. index::`` with a ``!`` more points than any title or text. So a word finds a page
first if it is such an entry of this page, and of no other.
"""

import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

PAGES = {
    "quickstart": "tutorial",
    "tutorial": "tutorial",
    "getting started": "tutorial",
    "docker": "deploy",
    "systemd": "deploy",
    "gunicorn": "deploy",
    "nginx": "deploy",
    "celery": "comparison",
    "css": "pages",
    "react": "pages",
    "concurrency": "limits",
    "cancel": "limits",
    "troubleshooting": "troubleshooting",
    "worker timeout": "troubleshooting",
    "testing": "testing",
    "ffmpeg": "languages",
    "flask": "flask",
    "django": "django",
    "fastapi": "fastapi",
    "websocket": "websocket",
    "s3": "storage",
    "prometheus": "jobs",
}

logger = logging.getLogger(__name__)


def note(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Tell whether all pages are read: the index that Sphinx builds of some lacks the entries of the others."""
    app.config.searches_are_whole = set(docnames) >= env.found_docs


def check(app: Sphinx, exception: Exception | None) -> None:
    """Look into the search index that was built."""
    path = Path(app.outdir) / "searchindex.js"
    if exception is not None or app.builder.name != "html" or not app.config.searches_are_whole:
        return
    index = json.loads(path.read_text().removeprefix("Search.setIndex(").removesuffix(")"))
    for word, page in PAGES.items():
        found = [index["docnames"][number] for number, _, is_main in index["indexentries"].get(word, ()) if is_main]
        if found != [page]:
            logger.warning("a search for %r must find %r first; it is a main index entry of %r", word, page, found)


def setup(app: Sphinx) -> dict[str, Any]:
    """Look when all is built; called by Sphinx."""
    app.add_config_value("searches_are_whole", default=False, rebuild="")
    app.connect("env-before-read-docs", note)
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
