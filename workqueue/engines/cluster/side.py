"""4 cluster side: what a process is in a cluster for; told of what the log says by its member."""

from typing import Protocol

from workqueue.engines.cluster.records import Failure, Own


class Side(Protocol):
    """What is built on a member; called on the loop's thread. It must return at once, but for what is a coroutine."""

    def owned(self, number: int, sequence: int, own: Own) -> None:
        """A record of who has a run was heard; perhaps not for the first time."""
        ...

    def cancelled(self, number: int) -> None:
        """A run is to be stopped."""
        ...

    def failed(self, key: str, failure: Failure | None) -> None:
        """How a run of a key failed is to be remembered, or forgotten."""
        ...

    def moved(self) -> None:
        """The line moved."""
        ...

    def lost_all(self) -> None:
        """The stream that there was is gone: runs of it are no more."""
        ...

    async def reloaded(self) -> None:
        """The view was built anew, and is complete."""
        ...

    async def tick(self) -> None:
        """A quarter of a lease has gone by."""
        ...
