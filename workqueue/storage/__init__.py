"""1 and 5 storage: is it built; publish what was built.

`base` is the seam, `disk` keeps results on this host, and `objects` in a bucket: that needs the extra ``s3``, so it is
imported from there, ``from workqueue.storage.objects import ObjectStorage``.
"""

from workqueue.storage.base import OpenResult, Origin, ResultInfo, Storage, StoredResult, Workspace
from workqueue.storage.disk import DiskStorage

__all__ = ("DiskStorage", "OpenResult", "Origin", "ResultInfo", "Storage", "StoredResult", "Workspace")
