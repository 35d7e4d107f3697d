"""The example of ffmpeg: with ffmpeg, or what tells as much as it does; and without."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import write_program
from tests.examples.example import events, running
from tests.servers.server import Client, Server
from tests.tools import find_command

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: Prints what ffmpeg 7 prints of a video of ten seconds, and at half of it waits until somebody lets it go on.
FFMPEG = """
printf '  Duration: 00:00:10.00, start: 0.000000, bitrate: 1205 kb/s\\n' >&2
printf 'frame=  150 fps= 30 q=28.0 size=     256KiB time=00:00:05.00 bitrate= 419.4kbits/s speed=1.2x    \\r' >&2
read -r _ <"$GATE"
printf 'video' >"$output"
"""

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the example, where nothing is installed but a shell's utilities and what is named."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "env", "mktemp", "rm", "sh"):
        found = find_command(name)
        assert found is not None
        (programs / name).symlink_to(found)
    with ExitStack() as stack:

        def start(**environment: str) -> Server:
            return stack.enter_context(running("ffmpeg", tmp_path, PATH=str(programs), **environment))

        yield start


def video_of(directory: Path) -> None:
    (directory / "examples" / "ffmpeg" / "videos").mkdir()
    (directory / "examples" / "ffmpeg" / "videos" / "holiday.mov").write_bytes(b"a video")


def test_what_ffmpeg_prints_is_progress(start: Start, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    write_program(tmp_path / "bin" / "ffmpeg", FFMPEG)
    server = start(GATE=str(gate))
    video_of(tmp_path)
    with closing(events(server.port, "/generate?video=holiday.mov")) as stream:
        half = next(event for event in stream if event["fraction"] > 0)
        assert (half["fraction"], half["returncode"]) == (0.5, None)
        gate.write_text("go on\n")
        *_, last = stream
    assert (last["returncode"], last["error"]) == (0, None)
    with closing(Client(server.port, "/video?video=holiday.mov", None, Range="bytes=1-3")) as client:
        assert (client.response.status, client.media_type) == (206, "video/mp4")
        assert client.response.read() == b"ide"


@pytest.mark.parametrize("name", ["nothing.mov", "-i", "..%2Fapp.py", "%2Fetc%2Fpasswd"])
def test_a_client_may_name_a_video_and_nothing_else(start: Start, tmp_path: Path, name: str) -> None:
    server = start()
    video_of(tmp_path)
    with closing(Client(server.port, f"/generate?video={name}", None)) as client:
        assert client.response.status == 404
        assert "there is no such video" in client.rest()


def test_without_ffmpeg_it_says_what_to_install(start: Start) -> None:
    if Path(sys.executable).with_name("ffmpeg").exists():
        pytest.skip("ffmpeg is beside this interpreter")
    *_, last = events(start().port, "/generate?video=sample")
    assert last["returncode"] == 1
    assert "There is no ffmpeg on PATH: install it" in last["error"]


def test_its_page_says_so_and_offers_to_try_again(start: Start, page: "Page") -> None:
    page.goto(f"http://127.0.0.1:{start().port}/")
    page.locator("workqueue-progress[state=failed]").wait_for()
    page.get_by_text("There is no ffmpeg on PATH").first.wait_for()
    assert page.get_by_role("button").is_visible()
    assert not page.locator("video").is_visible()


def test_ffmpeg_itself(tmp_path: Path) -> None:
    """It makes the sample, which takes no file of anybody's."""
    if find_command("ffmpeg") is None:
        pytest.skip("no ffmpeg: Debian has it in the package ffmpeg")
    with running("ffmpeg", tmp_path) as server:
        *_, last = events(server.port, "/generate?video=sample")
        assert (last["returncode"], last["error"]) == (0, None)
        with closing(Client(server.port, "/video?video=sample", None, Range="bytes=4-7")) as client:
            assert client.response.read() == b"ftyp"
