"""The wheel and the sdist: the same bytes wherever they are built, nothing in them by mistake, and enough to work."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import workqueue
from tests.conftest import write_program
from tests.release.source import SOURCE, source_file
from tests.servers.server import TIMEOUT
from tests.tools import missing

#: Of the archives' entries; any will do.
EPOCH = "1700000000"

#: What lies in a checkout that somebody works in, and is nobody else's business.
JUNK = (
    ".coverage",
    ".env",
    ".venv/bin/python",
    "databases/0123",
    "dist/old.whl",
    "docs/_build/index.html",
    "examples/flask/results/0123",
    "notes.txt",
    "tests/__pycache__/a.pyc",
    "workqueue/__pycache__/b.pyc",
)

#: What is not copied: what git ignores in the directories that are published.
IGNORED = shutil.ignore_patterns("__pycache__", "_build", "bundle", "node_modules", "results", ".*")

#: Says where the package comes from; fails where its version is another, or what is not code is missing.
LOOK = """
import importlib.metadata
import workqueue
from workqueue.web.browser import BROWSER_MODULE
assert BROWSER_MODULE.stat().st_size > 0
assert workqueue.__version__ == importlib.metadata.version("overview-plugin-workqueue")
print(workqueue.__file__)
"""


class Archives(NamedTuple):
    """What one build has made."""

    sdist: Path
    wheel: Path

    @property
    def bytes(self) -> tuple[bytes, bytes]:
        """All of it."""
        return self.sdist.read_bytes(), self.wheel.read_bytes()


def settings() -> dict[str, Any]:
    """Of pyproject.toml."""
    return tomllib.loads(source_file("pyproject.toml").read_text())


def published() -> list[str]:
    """The names of what the sdist is made of, at the top of the checkout."""
    names = settings()["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
    assert sorted(names) == names
    return [*names, "pyproject.toml", ".gitignore"]


def copy_source(directory: Path) -> set[str]:
    """Copy what is published; return the names of the files."""
    source_file("workqueue")
    for name in published():
        source = SOURCE / name
        assert source.exists(), f"pyproject.toml names {name} for the sdist"
        if source.is_dir():
            shutil.copytree(source, directory / name, ignore=IGNORED)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, directory / name)
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def build(source: Path, directory: Path, *options: str, umask: int = 0o022, **environment: str) -> None:
    """Build below `directory`; with no options, the sdist, and the wheel from it."""
    for name in ("build", "hatchling"):
        if importlib.util.find_spec(name) is None:
            missing(f"no {name}: pip install build hatchling")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", directory, source],
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, **environment},
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def built(directory: Path) -> Archives:
    """What is in it: an sdist, a wheel, and nothing else."""
    sdist, wheel = sorted(directory.iterdir(), key=lambda path: path.suffix)
    assert sdist.name == f"{stem()}.tar.gz"
    assert wheel.name == f"{stem()}-py3-none-any.whl"
    return Archives(sdist, wheel)


def stem() -> str:
    """How the archives' names begin."""
    return f"overview_plugin_workqueue-{workqueue.__version__}"


class Release(NamedTuple):
    """A build in a checkout that somebody works in."""

    archives: Archives
    source: Path
    names: set[str]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    directory = tmp_path_factory.mktemp("release")
    source = directory / "a checkout"
    names = copy_source(source)
    for name in JUNK:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("none of it is published")
    build(source, directory / "dist", TZ="UTC")
    yield Release(built(directory / "dist"), source, names)
    shutil.rmtree(directory)


def test_another_checkout_makes_the_same_bytes(release: Release, tmp_path: Path) -> None:
    """One of another user, with other times and modes, in another zone and language."""
    source = tmp_path / "elsewhere"
    copy_source(source)
    for path in source.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1, 1))
    build(source, tmp_path / "dist", umask=0o077, TZ="Asia/Kathmandu", LC_ALL="C", PYTHONHASHSEED="7")
    assert built(tmp_path / "dist").bytes == release.archives.bytes


def test_a_wheel_of_the_checkout_is_the_one_of_the_sdist(release: Release, tmp_path: Path) -> None:
    build(release.source, tmp_path, "--wheel")
    [wheel] = tmp_path.iterdir()
    assert wheel.read_bytes() == release.archives.wheel.read_bytes()


def test_the_sdist_has_the_source_and_nothing_else(release: Release) -> None:
    with tarfile.open(release.archives.sdist) as archive:
        entries = archive.getmembers()
    assert all(entry.isfile() for entry in entries)
    assert {entry.name.removeprefix(f"{stem()}/") for entry in entries} == {*release.names, "PKG-INFO"}
    assert {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) for entry in entries} == {
        (0, 0, "", "", int(EPOCH))
    }
    assert {entry.mode for entry in entries} <= {0o644, 0o755}


def test_the_wheel_has_the_package_and_nothing_else(release: Release) -> None:
    package = {name for name in release.names if name.startswith("workqueue/")}
    assert {"workqueue/py.typed", "workqueue/web/static/workqueue.js"} <= package
    with zipfile.ZipFile(release.archives.wheel) as archive:
        names = archive.namelist()
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert sorted(names) == sorted({*package, *(f"{stem()}.dist-info/{name}" for name in about)})


def test_it_works_where_there_is_no_source(release: Release, tmp_path: Path) -> None:
    """Unpacked, which is all that an installation does to it."""
    installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with zipfile.ZipFile(release.archives.wheel) as archive:
        archive.extractall(installed)
    # What it depends on may be on the path of the tests; the package itself is found first.
    path = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
    program = write_program(tmp_path / "program", 'echo 0.5; echo "$1" >"$output"')

    def python(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=3 * TIMEOUT,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert python("-c", LOOK).strip() == str(installed / "workqueue" / "__init__.py")
    python("-m", "workqueue", "run", program, "a word", "--storage", elsewhere / "results")
    [result] = [path for path in (elsewhere / "results").iterdir() if re.fullmatch("[0-9a-f]+", path.name)]
    assert result.read_text() == "a word\n"
    [script] = Distribution.at(installed / f"{stem()}.dist-info").entry_points
    assert (script.group, script.name, script.value) == ("console_scripts", "workqueue", "workqueue.cli:main")


def test_it_says_what_a_package_index_wants_to_know(release: Release) -> None:
    metadata = pytest.importorskip("packaging.metadata", reason="no packaging: pip install packaging").Metadata
    with zipfile.ZipFile(release.archives.wheel) as archive:
        text = archive.read(f"{stem()}.dist-info/METADATA")
    with tarfile.open(release.archives.sdist) as archive_of_source:
        file = archive_of_source.extractfile(f"{stem()}/PKG-INFO")
        assert file is not None
        with closing(file):
            assert file.read() == text
    said = metadata.from_email(text, validate=True)
    assert str(said.version) == workqueue.__version__
    assert said.license_expression == "MIT"
    assert said.description_content_type == "text/x-rst"
    assert message_from_bytes(text).get_payload() == (release.source / "README.rst").read_text()
    assert set(said.provides_extra or ()) == set(settings()["project"]["optional-dependencies"])
