"""The picture of a job's moves shows the table, and nothing else."""

import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

from workqueue.jobs.lifecycle import MOVES, State

SVG = "{http://www.w3.org/2000/svg}"


def picture() -> ModuleType:
    path = Path(__file__).parent.parent / "docs" / "_ext" / "moves_picture.py"
    spec = importlib.util.spec_from_file_location("moves_picture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_move_is_an_arrow_between_its_states() -> None:
    root = ElementTree.fromstring(picture().svg(MOVES))
    columns = {text.attrib["x"]: State(text.text) for text in root.iter(f"{SVG}text") if text.attrib["y"] == "20"}
    assert list(columns.values()) == list(State)
    moves = [group.attrib for group in root.iter(f"{SVG}g") if group.get("class") == "move"]
    shown = [(columns[move["data-from"]], move["data-event"], columns[move["data-to"]]) for move in moves]
    assert shown == [(state, event.value, after) for (state, event), after in MOVES.items()]


def test_who_cannot_see_it_is_told_the_same() -> None:
    module = picture()
    [described] = ElementTree.fromstring(module.svg(MOVES)).findall(f"{SVG}desc")
    assert described.text == " ".join(module.sentences(MOVES))
    assert "running, on cancel: cancelling." in module.sentences(MOVES)
