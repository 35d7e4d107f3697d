"""places: what the clients of a line were told, and when.

Job 0 runs. Client i watches the i-th job behind it, so its place is at first i, and then as many fewer as jobs have
left the line.
"""

import time

LOOK_SECONDS = 0.005

_PATIENCE_SECONDS = 60.0


class Places:
    """What each of n clients knows. Each writes its own, from any thread, and none waits for another."""

    def __init__(self, n: int) -> None:
        self._places = [-1] * n
        self._times = [0.0] * n
        self._counts = [0] * n

    def tell(self, client: int, place: int) -> None:
        """A client, from 1 on, is told."""
        self._times[client - 1] = time.monotonic()
        self._counts[client - 1] += 1
        self._places[client - 1] = place

    def wait(self, n_moves: int) -> tuple[int, float]:
        """Wait until all clients know that so many jobs have left the line.

        Returns:
            How many times clients were told by then, in all, and when the last was, by `time.monotonic`.

        Raises:
            TimeoutError: some are never told.
        """
        places = [max(0, client - n_moves) for client in range(1, len(self._places) + 1)]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._places != places:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not all clients were told of {n_moves} moves")
            time.sleep(LOOK_SECONDS)
        return sum(self._counts), max(self._times, default=0.0)
