"""1 and 5 storage: is it built; publish what was built.

`base` is the seam, `disk` the implementation for one host.
"""

from workqueue.storage.base import Storage, Workspace
from workqueue.storage.disk import DiskStorage

__all__ = ("DiskStorage", "Storage", "Workspace")
