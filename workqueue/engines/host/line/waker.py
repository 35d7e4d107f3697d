"""4 host line waker: the one thread of this process that reads what other processes say in their lines.

It is not the thread that follows journals. That one calls observers of users, and an observer may take long or wait
for another job, which nothing would wake then. This one calls nothing of a user's.
"""

from workqueue.engines.host.follower import Follower
from workqueue.system import forks


def _make() -> Follower:
    return Follower("workqueue-line")


def _reset_in_child() -> None:
    global waker  # noqa: PLW0603 - the one of this process, which a forked child is not
    waker = _make()


#: The one of this process, for all its queues.
waker = _make()
forks.renew_in_child(_reset_in_child)
