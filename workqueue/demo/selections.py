"""Selections: what one query found, remembered so that its pages stay the same."""

import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass

from workqueue.demo.documents import Document


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents one query found, in order."""

    id: str
    documents: tuple[Document, ...]


class Selections:
    """The newest selections; older ones expire.

    Any thread may call; each method is one step under the lock.
    """

    def __init__(self, capacity: int = 1000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()  # guards _selections
        self._selections: OrderedDict[str, Selection] = OrderedDict()

    def add(self, documents: tuple[Document, ...]) -> Selection:
        """Remember what a query found, under a new id; the oldest one beyond the capacity expires."""
        selection = Selection(str(uuid.uuid4()), documents)
        with self._lock:
            self._selections[selection.id] = selection
            while len(self._selections) > self._capacity:
                self._selections.popitem(last=False)
        return selection

    def find(self, selection_id: str) -> Selection | None:
        """The selection of that id; None if there was none, or it expired."""
        with self._lock:
            return self._selections.get(selection_id)
