"""1 and 5 archive: a directory <-> a tar file, as a stream of bytes, with little in memory and nothing beside it.

What is written is what any ``tar`` reads: files, directories and symbolic links, long names as GNU has them. Nothing
else is read. An archive may have been damaged, or be somebody else's, so nothing of it leads out of the directory that
it is unpacked in, and it takes no more room than it has itself: a name has no "..", nothing is made twice or through a
link, and a link leads to a place within.
"""

import itertools
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.storage.links import leads_within

#: Enough for a path of Linux, and what is read into memory at once.
_MAX_NAME_BYTES: Final = 8192

#: What is handed on at once: many small files would be many small pieces.
_CHUNK_BYTES: Final = 2**20

_BLOCK: Final = tarfile.BLOCKSIZE
_LONG_NAMES: Final = {tarfile.GNUTYPE_LONGNAME: "name", tarfile.GNUTYPE_LONGLINK: "linkname"}
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DamagedArchive(Exception):
    """It is none of ours, or not whole; the text says what is wrong."""


def archived(directory: Path) -> Iterator[bytes]:
    """The archive of a directory that nobody changes, in pieces of a megabyte.

    Raises:
        OSError: it cannot be read, or was changed.
    """
    pending = bytearray()
    for data in _members(directory):
        pending += data
        if len(pending) >= _CHUNK_BYTES:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending + bytes(2 * _BLOCK))


def archive_bytes(size: int, n_entries: int) -> int:
    """At least as large as the archive of so many entries is, whose files are as large together, names aside."""
    return size + (n_entries + 1) * 4 * _BLOCK


def _members(directory: Path) -> Iterator[bytes]:
    names = [""]
    for name in names:  # which grows meanwhile
        for child in sorted(os.listdir(directory / name)):  # noqa: PTH208 - names are all that is wanted
            path = f"{name}/{child}" if name else child
            status = os.lstat(directory / path)
            if stat.S_ISDIR(status.st_mode):
                names.append(path)
                yield _header(path, tarfile.DIRTYPE, status)
            elif stat.S_ISLNK(status.st_mode):
                yield _header(path, tarfile.SYMTYPE, status, os.readlink(directory / path))  # noqa: PTH115 - a Path would change it
            else:
                yield from _file(directory, path)


def _file(directory: Path, path: str) -> Iterator[bytes]:
    fd = os.open(directory / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        yield _header(path, tarfile.REGTYPE, status)
        left = status.st_size
        while left:
            data = os.read(fd, min(left, _CHUNK_BYTES))
            if not data:
                raise OSError(f"{path!r} became shorter while it was read")
            left -= len(data)
            yield data
        yield bytes(-status.st_size % _BLOCK)
    finally:
        os.close(fd)


def _header(path: str, kind: bytes, status: os.stat_result, target: str = "") -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.linkname = kind, target
    member.size = status.st_size if kind == tarfile.REGTYPE else 0
    member.mode, member.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    return member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def unpack(chunks: Iterator[bytes], directory: Path) -> None:
    """Make what an archive holds in an empty directory.

    Args:
        chunks: the archive's bytes; what they raise is raised.
        directory: that nobody else uses. After an exception it holds some of it.

    Raises:
        DamagedArchive: it is none of ours, or not whole.
        OSError: something cannot be made.
    """
    source = _Source(chunks)
    made = {""}  # the directories, none of which is a link
    while (member := _next_member(source)) is not None:
        name = _checked_name(member, made)
        path = directory / name
        try:
            if member.type == tarfile.DIRTYPE:
                path.mkdir(mode=0o700)
                made.add(name)
            elif member.type == tarfile.SYMTYPE:
                os.symlink(_checked_target(name, member.linkname), path)  # noqa: PTH211 - a Path would change the target
            else:
                _make_file(path, source, member.size)
        except FileExistsError:
            raise DamagedArchive(f"it holds {name!r} twice") from None
    source.check_end()


def _next_member(source: "_Source") -> tarfile.TarInfo | None:
    long: dict[str, str] = {}
    while True:
        header = source.read(_BLOCK)
        if header == bytes(_BLOCK):
            return None
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as err:
            raise DamagedArchive(f"a header is {err}") from None
        if member.size < 0:
            raise DamagedArchive("a size is below 0")
        if member.type in _LONG_NAMES:
            if member.size > _MAX_NAME_BYTES:
                raise DamagedArchive("a name is too long")
            text = source.read(member.size + -member.size % _BLOCK)[: member.size]
            long[_LONG_NAMES[member.type]] = text.rstrip(b"\0").decode("utf-8", "surrogateescape")
            continue
        if member.type not in (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE):
            raise DamagedArchive(f"it holds something of type {member.type!r}")
        member.name, member.linkname = long.get("name", member.name), long.get("linkname", member.linkname)
        return member


def _checked_name(member: tarfile.TarInfo, made: set[str]) -> str:
    name = member.name.removesuffix("/") if member.type == tarfile.DIRTYPE else member.name
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise DamagedArchive(f"it holds the name {name[:200]!r}")
    if name.rpartition("/")[0] not in made:
        raise DamagedArchive(f"it holds {name[:200]!r} before the directory that is in")
    return name


def _checked_target(name: str, target: str) -> str:
    if not target or "\0" in target or not leads_within(name, target):
        raise DamagedArchive(f"it holds a link, {name[:200]!r}, that may lead out of it")
    return target


def _make_file(path: Path, source: "_Source", size: int) -> None:
    fd = os.open(path, _NEW_FILE, 0o600)
    with os.fdopen(fd, "wb", buffering=0) as file:
        for data in source.pieces(size):
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
    source.read(-size % _BLOCK)


class _Source:
    """Bytes in pieces as they come -> in pieces as they are wanted."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._data = memoryview(b"")

    def read(self, size: int) -> bytes:
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._data:
                chunk = next(self._chunks, None)
                if chunk is None:
                    raise DamagedArchive("it ends too soon")
                self._data = memoryview(chunk)
            piece, self._data = self._data[:size], self._data[size:]
            size -= len(piece)
            yield piece

    def check_end(self) -> None:
        """See to it that nothing but zeros follows, so that what was fetched is all of it."""
        for data in itertools.chain([self._data], self._chunks):
            if bytes(data).strip(b"\0"):
                raise DamagedArchive("something is behind its end")
