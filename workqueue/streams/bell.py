"""6 bell: any thread rings -> the one thread that waits goes on; and a writer that rings thousands lets them.

A lock that nobody holds for anything: ringing releases it, answering acquires it. Not a condition, which makes a lock
for each wait and takes another one after it: threads that wait by the thousand do little else.
"""

import itertools
import threading
import time
from typing import Final

#: A thread that is woken needs the interpreter, which the writer has. Those that wait for it ask for it every 5 ms each
#: (`sys.setswitchinterval`), so the cost of waking grows with the square of their number. Measured, the last of 4,000
#: threads has an event after 139 ms, 205 with 64 at once, 450 with all.
RINGS_AT_ONCE: Final = 16

#: Long enough that they get the interpreter first: with a sleep of 0 the writer has it back too soon.
GIVE_WAY_SECONDS: Final = 0.0001

#: Of this process: whichever writers ring, those who are woken wait for one interpreter.
_rings = itertools.count(1)


class Bell:
    """One thread's. Rung before it waits, it does not wait; rung twice, it has been rung once."""

    __slots__ = ("_silence",)

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def wait(self, seconds: float | None) -> bool:
        """Wait until it is rung, for so long at most; return whether it was. It may have been for what is known by now.

        Args:
            seconds: None: for ever.
        """
        return self._silence.acquire(timeout=-1 if seconds is None else seconds)

    def ring(self) -> bool:
        """Wake the thread that waits, or will; return whether it had not been rung. Callable from any thread."""
        try:
            # Two at once: one of them finds that it is rung. To look first would not be one step.
            self._silence.release()
        except RuntimeError:
            return False
        return True


def give_way() -> None:
    """To be called by who has rung a bell, with no lock held: now and then it lets those run whom it has woken."""
    if not next(_rings) % RINGS_AT_ONCE:
        time.sleep(GIVE_WAY_SECONDS)
