"""Looks at each link within the site that was built: a warning where it leads to no page, or no place on its page."""

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


class _Page(HTMLParser):
    """Where a page's links lead to, and what they may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and (link := given.get("href")):
            self.links.add(link)
        if place := given.get("id"):
            self.places.add(place)


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def broken(site: Path) -> Iterator[tuple[Path, str]]:
    """Each page with a link within the site that leads nowhere, and the link."""
    for path in sorted(site.rglob("*.html")):
        for link in sorted(_page(path).links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_there = target.is_file() and target.is_relative_to(site)
            if not is_there or (parts.fragment and unquote(parts.fragment) not in _page(target).places):
                yield path, link


def check(app: Sphinx, exception: Exception | None) -> None:
    """Look at the site that was built."""
    if exception is None and app.builder.name == "html":
        for path, link in broken(Path(app.outdir).resolve()):
            logger.warning("%s: this link leads nowhere: %s", path.name, link)


def setup(app: Sphinx) -> dict[str, Any]:
    """Look when all is built; called by Sphinx."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
