"""own_files: the files and directories that this library makes for itself, and nothing else that has their names.

A storage lies where other programs, and perhaps other users, can put things. So what is opened is never what a link
names, opening waits for nobody (a pipe without a writer), and what is not of the right kind is refused. What root makes
in the storage of another user belongs to that user, who could else not remove it.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError

#: Those of a storage that nothing but this library uses.
OWN_DIRECTORIES: Final = (".tmp", ".jobs", ".failed", ".info", ".trees", ".open")

_SAFELY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

#: What the kernel says of links and of pipes and sockets, in words that tell what to do.
_WHAT: Final = {
    errno.ELOOP: "It is a symbolic link, and must be a file; remove it",
    errno.ENXIO: "It is not a regular file; remove it",
}

#: Of the parents of a directory that we make, whatever the umask allows: nobody else writes there.
_PARENT_MODE: Final = 0o755


def open_file(path: str | os.PathLike[str], flags: int) -> int:
    """Open a regular file, for its owner alone if it is made; it closes on exec. It never waits.

    Raises:
        OSError: it cannot be opened, or what has its name is no regular file.
    """
    try:
        fd = os.open(path, flags | _SAFELY, 0o600)
    except OSError as err:
        if err.errno in _WHAT:
            raise OSError(err.errno, _WHAT[err.errno], os.fspath(path)) from None
        raise
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, _WHAT[errno.ENXIO], os.fspath(path))
        if flags & os.O_CREAT and status.st_uid == 0:
            give_file(fd, os.path.dirname(path))  # noqa: PTH120 - a Path takes longer to make than the file to open
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_file(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """All of a regular file.

    Raises:
        OSError: it cannot be read, is longer, or is no regular file.
    """
    fd = open_file(path, os.O_RDONLY)
    try:
        data = os.pread(fd, max_bytes + 1, 0)
    finally:
        os.close(fd)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), os.fspath(path))
    return data


def open_directory(path: str | os.PathLike[str]) -> int:
    """Open a directory of ours, to work on what it holds through the descriptor, which closes on exec.

    Raises:
        OSError: it cannot be opened, is a link or no directory, or belongs to a user that is neither us nor the owner
            of the directory that holds it.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _SAFELY)
    try:
        owner = os.fstat(fd).st_uid
        if owner != os.geteuid() and not _is_roots_guest(owner, path):
            raise PermissionError(errno.EPERM, f"It belongs to {user_name(owner)}", os.fspath(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


def make_directory(directory: Path) -> None:
    """Make a directory for its owner alone, unless it is there, with its parents, in which nobody else may write.

    Others may make the same directories at the same time.

    Raises:
        OSError: it cannot be made.
    """
    if _made(directory, 0o700):
        give_to_owner(directory)
    elif not directory.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(directory))


def give_to_owner(path: Path) -> None:
    """Give what root has just made to the user who has the directory that it is in; others give nothing.

    Raises:
        OSError: it cannot be given.
    """
    if os.geteuid() == 0:
        parent = os.stat(path.parent)  # noqa: PTH116 - as above
        if parent.st_uid != 0:
            os.chown(path, parent.st_uid, parent.st_gid, follow_symlinks=False)


def give_file(fd: int, directory: str | os.PathLike[str]) -> None:
    """Give what root has open, and has made, to the user who has this directory; others give nothing.

    Raises:
        OSError: it cannot be given.
    """
    if os.geteuid() == 0:
        status = os.stat(directory or ".")  # noqa: PTH116
        if status.st_uid != 0:
            os.fchown(fd, status.st_uid, status.st_gid)


def check_owner(directory: Path, own_names: tuple[str, ...]) -> None:
    """Refuse a storage that another user has, or in which a name of ours is another's; what is not there is no matter.

    Root may use any user's storage.

    Args:
        directory: the storage's.
        own_names: the directories in it that are ours alone.

    Raises:
        StorageError: with the words for the operator.
    """
    try:
        owner = os.stat(directory).st_uid  # noqa: PTH116 - a name that is too long is no matter either
    except (OSError, ValueError):
        return
    us = os.geteuid()
    if us not in (0, owner):
        raise StorageError(
            f"The storage directory {directory} belongs to {user_name(owner)}, and this process runs as"
            f" {user_name(us)}. Use a directory of its own, or run it as {user_name(owner)}"
        )
    for path in (directory / name for name in own_names):
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(status.st_mode):
            raise StorageError(
                f"{path} is a symbolic link; it must be a directory of the storage's own. Remove the link"
            )
        if status.st_uid not in (us, owner):
            raise StorageError(
                f"{path} belongs to {user_name(status.st_uid)}, and the storage to {user_name(owner)}. Give it to"
                f" {user_name(owner)} (chown -R), or remove it"
            )


def user_name(uid: int) -> str:
    """How to call a user in a message: the name, or the number where there is none."""
    import pwd  # noqa: PLC0415 - for messages alone

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _made(directory: Path, mode: int) -> bool:
    """Make it, with its parents; return whether nothing had its name before."""
    try:
        directory.mkdir(mode=mode)
    except FileExistsError:
        return False
    except FileNotFoundError:
        if directory.parent == directory:
            raise
        # Not "unless the parent is there": another process may have made it between the failure and such a look.
        _made(directory.parent, _PARENT_MODE)
        try:
            directory.mkdir(mode=mode)
        except FileExistsError:
            return False
    return True


def _is_roots_guest(owner: int, path: str | os.PathLike[str]) -> bool:
    """Whether we are root in a storage whose owner has this directory in it."""
    return os.geteuid() == 0 and os.stat(os.path.dirname(path) or ".").st_uid == owner  # noqa: PTH116, PTH120
