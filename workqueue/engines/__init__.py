"""4 engine: where and when a job runs.

`base` is the seam; `local` the implementation for one process, `local_run` one task in it; `run` makes one run;
`lineup` knows who is ahead, and `herald` tells those who watch.
"""

from workqueue.engines.base import Engine, Report, Task, Ticket
from workqueue.engines.local import LocalEngine

__all__ = ("Engine", "LocalEngine", "Report", "Task", "Ticket")
