"""1 and 5 removal: a directory of ours, with all that is in it, also where nobody may write."""

import contextlib
import os
import shutil
import stat


def remove_tree(name: str, parent: int) -> None:
    """Remove a directory, whatever permissions it and those in it have lost; no link is followed.

    Args:
        name: which.
        parent: the open directory that it is in, so that nobody else's gets in its place.

    Raises:
        OSError: something of it is left.
    """
    with contextlib.suppress(OSError):
        shutil.rmtree(name, dir_fd=parent)
        return
    _allow(name, parent)
    for _, names, _, fd in os.fwalk(name, dir_fd=parent):
        for child in names:
            _allow(child, fd)  # each before it is walked, which needs it
    shutil.rmtree(name, dir_fd=parent)


def _allow(name: str, parent: int) -> None:
    with contextlib.suppress(OSError):
        # chmod would follow a link out of here. The program is dead: nobody puts one there after the look.
        if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            os.chmod(name, 0o700, dir_fd=parent)
