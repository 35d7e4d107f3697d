"""`workqueue demo --once`: the whole way of a plugin over HTTP, without a person."""

import re
import sys

from workqueue import OverviewViewParams, Progress
from workqueue.demo.client import Client, ClientError
from workqueue.terminal.bar import draw

#: How many hits are worth printing.
_SHOWN = 5


def tour(plugin_url: str, params: OverviewViewParams, word: str | None) -> None:
    """Ask for the plugin, build the index, see that it is built once, search it, and print what was found.

    Args:
        plugin_url: where the plugin is.
        params: what to build.
        word: what to search for; None: a word of the first document.

    Raises:
        ClientError: a step failed; the text says which, and why.
    """
    plugin = Client(plugin_url, params)
    plugin.get("/metadata")
    print(f"Building the index of document set {params.document_set_id}", flush=True)
    _build(plugin)
    if any(True for _ in plugin.generate()):
        raise ClientError("POST /generate: the finished index was built once more")
    _search(plugin, word or _word_of_first_document(params))


def _build(plugin: Client) -> None:
    last = draw((Progress(**event) for event in plugin.generate()), "Index", sys.stdout)
    if last is None:
        print("Already built")
    elif last.returncode != 0:
        raise ClientError(f"The index could not be built. {last.error}".rstrip())


def _search(plugin: Client, word: str) -> None:
    answer = plugin.search(word)
    hits = answer["hits"][:_SHOWN]
    if not hits:
        raise ClientError(f"The index is built, but a search for {word!r} finds nothing in it")
    total = answer["total"]
    matches = "1 document matches" if total == 1 else f"{total} documents match"
    best = f"; the best {len(hits)}" if total > len(hits) else ""
    print(f"\n{matches} {word!r}{best}:")
    for hit in hits:
        print(f"\n  {hit['title']}  [{hit['id']}]")
        print(f"    {' '.join(hit['snippet'].split())}")


def _word_of_first_document(params: OverviewViewParams) -> str:
    """A word that the index must find, as Overview itself tells it."""
    overview = Client(params.server, params, password="x-auth-token")  # noqa: S106 - the same for everyone
    page = overview.get(f"/api/v1/document-sets/{params.document_set_id}/documents", fields="text,title", limit="1")
    text = " ".join(f"{item['title']} {item['text']}" for item in page["items"])
    words: list[str] = re.findall(r"\w+", text)
    if not words:
        raise ClientError("The document set has no words to search for")
    return max(words[:100], key=len)
