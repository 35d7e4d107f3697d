"""A document set: texts with the ids and fields that Overview's API gives them."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from workqueue.demo.texts import Text

#: The fields that the API gives when none is asked for.
DEFAULT_FIELDS: Final = ("id", "pageNumber", "suppliedId", "title", "url")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a set, immutable."""

    id: int
    """`documentSetId << 32 | index`."""

    supplied_id: str
    title: str
    text: str

    def to_json(self, fields: Collection[str]) -> dict[str, object]:
        """The document as the API tells it.

        Args:
            fields: which of `ALL_FIELDS` to give.
        """
        return {name: value(self) for name, value in _VALUES.items() if name in fields}

    def tokens(self) -> str:
        """The text's words in lower case, with spaces between them."""
        return " ".join(re.findall(r"\w+", self.text.lower()))


#: Field -> how to tell it. These texts have no pages and no addresses.
_VALUES: Final[dict[str, Callable[[Document], object]]] = {
    "id": lambda document: document.id,
    "documentSetId": lambda document: document.id >> 32,
    "isFromOcr": lambda _: False,
    "metadata": lambda _: {},
    "pageNumber": lambda _: None,
    "suppliedId": lambda document: document.supplied_id,
    "text": lambda document: document.text,
    "title": lambda document: document.title,
    "tokens": Document.tokens,
    "url": lambda _: None,
}

#: Every field of the API.
ALL_FIELDS: Final = tuple(_VALUES)


@dataclass(frozen=True, slots=True)
class DocumentSet:
    """Documents in a fixed order; immutable, so every thread may read it."""

    id: int
    documents: tuple[Document, ...] = field(repr=False)

    @classmethod
    def from_texts(cls, set_id: int, texts: Iterable[Text]) -> "DocumentSet":
        """Number texts as the documents of a set."""
        first = set_id << 32
        return cls(set_id, tuple(Document(first + i, *text) for i, text in enumerate(texts)))

    def find(self, document_id: int) -> Document | None:
        """The document of that id, or None."""
        index = document_id - (self.id << 32)
        return self.documents[index] if 0 <= index < len(self.documents) else None

    def search(self, query: str) -> tuple[Document, ...]:
        """Documents whose title or text contains the query, in any case; all if it is empty."""
        needle = query.lower()
        if not needle:
            return self.documents
        return tuple(d for d in self.documents if needle in d.title.lower() or needle in d.text.lower())
