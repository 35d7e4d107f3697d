"""One line of a terminal, drawn anew."""

import io
import os
import pty

from workqueue.terminal.live import LiveLine


def test_each_text_covers_the_one_before_it() -> None:
    file = io.StringIO()
    line = LiveLine(file)
    line.clear()
    line.show("a long text")
    line.show("short")
    line.show("short")
    line.clear()
    line.clear()
    assert file.getvalue() == "\ra long text\rshort      \r     \r"


def test_a_text_is_cut_to_the_width_of_the_terminal() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal, os.fdopen(theirs, "w") as file:
        LiveLine(file).show("x" * 100)  # this terminal does not say how wide it is
        assert terminal.read(1000) == b"\r" + b"x" * 78 + "…".encode()


def test_what_a_terminal_cannot_show_is_replaced() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    LiveLine(file).show("é" * 100)
    assert raw.getvalue() == b"\r" + b"?" * 79
