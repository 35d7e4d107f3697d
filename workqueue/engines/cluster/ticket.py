"""4 cluster ticket: the receipt for a task of a cluster's engine."""

from typing import Protocol

from workqueue.engines.cluster.watch import Watch


class Issuer(Protocol):
    """What knows of a task; see `ClusterEngine`."""

    def n_ahead(self, watch: Watch) -> int:
        """How many come before it."""
        ...

    def cancel(self, watch: Watch, *, for_all: bool) -> None:
        """Stop it."""
        ...


class Ticket:
    """See `workqueue.engines.base.Ticket`.

    Args:
        engine: that it was submitted to.
        watch: the task.
    """

    def __init__(self, engine: Issuer, watch: Watch) -> None:
        self._engine = engine
        self._watch = watch

    def n_ahead(self) -> int:
        """See `workqueue.engines.base.Ticket`."""
        return self._engine.n_ahead(self._watch)

    def cancel(self, *, for_all: bool = True) -> None:
        """See `workqueue.engines.base.Ticket`."""
        self._engine.cancel(self._watch, for_all=for_all)
