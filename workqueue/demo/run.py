"""`workqueue demo`: its options, and what ends it."""

import argparse
import importlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `workqueue demo`."""
    add = parser.add_argument
    add("--once", action="store_true", help="build, search, print the hits and exit; 0 if all went well")
    add("--host", default="127.0.0.1", help="where the plugin listens (default: %(default)s)")
    add("--port", type=int, help="the plugin's port (default: 8765, or a free one if it is taken)")
    add("--documents", type=Path, metavar="DIR", help="search the *.txt, *.md and *.rst files below DIR")
    add(
        "--storage",
        metavar="STORAGE",
        help="keep finished indexes there: a directory, or s3://BUCKET/PREFIX (default: a temporary directory)",
    )
    add("--endpoint", metavar="URL", help="where the bucket's service is, if not at its provider's")
    add("--delay", type=_seconds, metavar="SECONDS", help="wait before each batch of documents that the stand-in sends")
    add(
        "--cluster",
        action="store_true",
        help="run programs on two workers that meet on three NATS servers, with buttons that kill any of them",
    )
    add("--search", metavar="WORDS", help="what --once searches for")
    real = parser.add_argument_group("a real Overview, instead of the stand-in (all three)")
    real.add_argument("--server", metavar="URL", help="such as https://www.overviewdocs.com")
    real.add_argument("--document-set-id", metavar="ID", help="which of its document sets to index")
    real.add_argument("--api-token", metavar="TOKEN", help="of a View of that document set")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo. Call it from the main thread.

    Args:
        arguments: what `add_arguments()` declared.

    Returns:
        The exit status: 0; 1 if a step failed; 2 if it cannot start; 130 if `--once` was interrupted.
    """
    if missing := _missing_library():
        print(f"workqueue demo needs {missing}: pip install 'overview-plugin-workqueue[demo]'", file=sys.stderr)
        return 2
    from workqueue.demo.refusal import CannotStartError  # noqa: PLC0415
    from workqueue.demo.start import start  # noqa: PLC0415 - needs the extra

    try:
        with _interruptible():
            return start(arguments)
    except CannotStartError as err:
        print(f"workqueue demo: {err}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped")
        return 130 if arguments.once else 0


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600")
    return seconds


def _missing_library() -> str | None:
    for name in ("flask", "ijson", "rich"):
        try:
            importlib.import_module(name)
        except ImportError:
            return name
    return None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM unwind the stack, as Ctrl-C does, so that servers, programs and files are cleared away."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
