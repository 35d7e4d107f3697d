"""4 engines: where and when a job runs, by reach.

`base` is the seam, and `run` one whole run, wherever it is made. `local` uses threads of this process; `host` makes all
processes of this host that share a storage act as one, and `cluster` all hosts.
"""

from workqueue.engines.base import Engine, Failures, Picture, Report, SeenEnd, SeenRun, Shared, Task, Ticket
from workqueue.engines.local.engine import LocalEngine
from workqueue.program.retry import Retry
from workqueue.progress import Cancelling, WaitsAgain

__all__ = (
    "Cancelling",
    "Engine",
    "Failures",
    "LocalEngine",
    "Picture",
    "Report",
    "Retry",
    "SeenEnd",
    "SeenRun",
    "Shared",
    "Task",
    "Ticket",
    "WaitsAgain",
)
