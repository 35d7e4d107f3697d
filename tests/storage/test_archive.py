"""A directory as a tar file: what any tar reads; and what is read is that, whole, and stays in its place."""

import errno
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools import find_program
from workqueue.storage.archive import DamagedArchive, archive_bytes, archived, unpack

LONG = "a name that is longer than a header has room for, " * 4


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "in" / LONG).mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "one").write_bytes(b"1")
    (top / "nothing").touch()
    (top / "block").write_bytes(bytes(512))
    (top / "in" / "large").write_bytes(os.urandom(3_000_000))
    (top / "in" / LONG / LONG).write_bytes(b"long")
    (top / "in" / "a\nb \udcff").write_bytes(b"no text")
    (top / "in" / "link").symlink_to("../one")
    (top / "in" / "long link").symlink_to(f"{LONG}/{LONG}")
    return top


def content(top: Path) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    for path in top.rglob("*"):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = str(path.readlink())
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def unpacked(data: bytes, directory: Path, n_bytes: int = 100_000) -> Path:
    directory.mkdir()
    unpack((data[i : i + n_bytes] for i in range(0, len(data), n_bytes)), directory)
    return directory


def test_what_is_archived_is_unpacked(tree: Path, tmp_path: Path) -> None:
    data = b"".join(archived(tree))
    assert content(unpacked(data, tmp_path / "again")) == content(tree)
    sizes = [path.lstat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(data) <= archive_bytes(sum(sizes), len(content(tree)))


@pytest.mark.parametrize("n_bytes", [1, 7, 511, 512, 513])
def test_pieces_may_be_cut_anywhere(tmp_path: Path, n_bytes: int) -> None:
    top = tmp_path / "tree"
    (top / "in").mkdir(parents=True)
    (top / "in" / "file").write_bytes(b"x" * 1500)
    assert content(unpacked(b"".join(archived(top)), tmp_path / "again", n_bytes)) == content(top)


def test_little_is_in_memory(tree: Path) -> None:
    assert max(map(len, archived(tree))) < 3 * 2**20


def test_tar_reads_it(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    tar = find_program("tar", "tar")
    subprocess.run([tar, "-xf", "-", "-C", tmp_path / "there"], input=b"".join(archived(tree)), check=True)
    assert content(tmp_path / "there") == content(tree)


def test_a_file_that_became_shorter_is_an_error(tree: Path) -> None:
    chunks = archived(tree)
    (tree / "in" / "large").write_bytes(bytes(3_000_000))
    for _ in chunks:
        os.truncate(tree / "in" / "large", 10)
        break
    with pytest.raises(OSError, match="'in/large' became shorter while it was read"):
        list(chunks)


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link takes its place after the file was looked at, and before it is opened."""
    top = tmp_path / "tree"
    top.mkdir()
    (top / "file").write_bytes(b"built")
    (tmp_path / "secret").write_bytes(b"secret")
    lstat = os.lstat

    def put_a_link_there(path: Path) -> os.stat_result:
        status = lstat(path)
        path.unlink()
        path.symlink_to(tmp_path / "secret")
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", put_a_link_there)
        with pytest.raises(OSError, match=r"\[Errno") as error:
            list(archived(top))
    assert error.value.errno == errno.ELOOP


# What is none of ours


def made(*members: tuple[str, bytes, str | bytes], end: bytes = bytes(1024)) -> bytes:
    """An archive of these: a name, a type, and a link's target or a file's content."""
    data = b""
    for name, kind, more in members:
        member = tarfile.TarInfo(name)
        member.type = kind
        body = more if isinstance(more, bytes) else b""
        member.size, member.linkname = len(body), "" if isinstance(more, bytes) else more
        data += member.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + body + bytes(-len(body) % 512)
    return data + end


FILE, DIR, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
GOOD = made(("d", DIR, b""), ("d/f", FILE, b"built"))


def with_size(data: bytes, size: int) -> bytes:
    """The archive, whose first header says another size."""
    member = tarfile.TarInfo.frombuf(data[:512], "utf-8", "surrogateescape")
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT) + data[512:]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it ends too soon"),
        (GOOD[:-1024], "it ends too soon"),
        (GOOD[:1200], "it ends too soon"),
        (GOOD[:700], "it ends too soon"),
        (GOOD + b"x", "something is behind its end"),
        (b"x" * 2048, "a header is"),
        (GOOD[:100] + b"x" + GOOD[101:], "a header is"),
        (made(("../f", FILE, b"x")), r"it holds the name '\.\./f'"),
        (made(("/f", FILE, b"x")), "it holds the name '/f'"),
        (made(("d", DIR, b""), ("d/../../f", FILE, b"x")), "it holds the name"),
        (made((".", DIR, b"")), r"it holds the name '\.'"),
        (made(("d", DIR, b""), ("d//f", FILE, b"x")), "it holds the name 'd//f'"),
        (made(("d/f", FILE, b"x")), "before the directory that is in"),
        (made(("f", FILE, b"x"), ("f/g", FILE, b"x")), "before the directory that is in"),
        (made(("f", FILE, b"x"), ("f", FILE, b"y")), "it holds 'f' twice"),
        (made(("d", DIR, b""), ("d", DIR, b"")), "it holds 'd' twice"),
        (made(("f", FILE, b"x"), ("f", LINK, "g")), "it holds 'f' twice"),
        (made(("l", LINK, "g"), ("l", FILE, b"y")), "it holds 'l' twice"),
        (made(("l", LINK, "/etc/passwd")), "a link, 'l', that may lead out of it"),
        (made(("l", LINK, "..")), "may lead out of it"),
        (made(("l", LINK, "")), "may lead out of it"),
        (made(("l", LINK, "."), ("l/f", FILE, b"x")), "before the directory that is in"),
        (made(("f", FILE, b"x"), ("g", tarfile.LNKTYPE, "f")), "something of type b'1'"),
        (made(("g", tarfile.FIFOTYPE, b"")), "something of type b'6'"),
        (made(("g", tarfile.CHRTYPE, b"")), "something of type b'3'"),
        (made(("g", tarfile.GNUTYPE_SPARSE, b"")), "something of type b'S'"),
        (made(("g", tarfile.XHDTYPE, b"")), "something of type b'x'"),
        (made(("g", tarfile.GNUTYPE_LONGNAME, bytes(10_000))), "a name is too long"),
        (with_size(made(("f", FILE, b"x")), 2**40), "it ends too soon"),
        (with_size(made(("f", FILE, b"x")), -1), "a size is below 0"),
    ],
)
def test_what_is_none_of_ours_is_refused_and_nothing_is_made_elsewhere(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(DamagedArchive, match=words):
        unpacked(data, tmp_path / "here")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_every_byte_that_is_missing_is_noticed(tmp_path: Path) -> None:
    for i in range(len(GOOD) - 512):
        with pytest.raises(DamagedArchive):
            unpacked(GOOD[:i], tmp_path / str(i))


def test_what_the_stream_raises_is_raised(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield GOOD[:600]
        raise ConnectionError("it broke")

    with pytest.raises(ConnectionError, match="it broke"):
        unpack(broken(), tmp_path)


def test_what_tarfile_writes_is_read(tree: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(tree.rglob("*")):
            tar.add(path, path.relative_to(tree), recursive=False)
    assert content(unpacked(buffer.getvalue(), tmp_path / "again")) == content(tree)
