"""Pictures are whole files of SVG, alike for equal curves, with one colour for us."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.answer import Answer, Plot
from benchmarks.plots import OURS_COLOUR, PEER_COLOURS, draw

LINEAR = Plot("Memory", "jobs", "MB", {"workqueue": [(0, 1.0), (10, 1.0)]}, scale="plain")
SPREAD = Plot("Late", "% of lines", "ms", {"workqueue": [(0, 0.5), (50, 1.0), (100, 30.0)]}, scale="spread")
FLAT = Plot("Flat", "clients", "ms", {"workqueue": [(100, 3.0), (20_000, 3.1)]})
EMPTY = Plot("Nothing", "clients", "ms", {"workqueue": [(100, 0.0)]})


def texts_of(file: Path) -> list[str]:
    root = ElementTree.fromstring(file.read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_names_its_axes_and_curves_in_plain_words_and_numbers(answer: Answer, tmp_path: Path) -> None:
    draw(answer.plots[0], tmp_path / "a.svg")
    texts = texts_of(tmp_path / "a.svg")
    assert {"Length", "pieces", "m", "workqueue", "1.0.1", "in proportion", "1", "10"} <= set(texts)


@pytest.mark.parametrize("plot", [LINEAR, SPREAD, FLAT, EMPTY], ids=lambda plot: plot.title)
def test_every_kind_of_plot_can_be_drawn(plot: Plot, tmp_path: Path) -> None:
    draw(plot, tmp_path / "a.svg")
    assert {plot.title, plot.x, plot.y, "workqueue"} <= set(texts_of(tmp_path / "a.svg"))


def test_a_nearly_level_curve_has_more_than_one_number_beside_it(tmp_path: Path) -> None:
    draw(FLAT, tmp_path / "a.svg")
    assert {"2", "5"} <= set(texts_of(tmp_path / "a.svg"))


def test_equal_curves_are_equal_files_without_a_date(answer: Answer, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(answer.plots[0], tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    assert "dc:date" not in text


def test_we_have_one_colour_in_all_our_ways_and_peers_have_others(answer: Answer, tmp_path: Path) -> None:
    points = [(1.0, 1.0), (10.0, 2.0)]
    ours, theirs = {"workqueue: a": points, "workqueue: b": points}, {"x": points, "y": points}
    for file, curves in (("ours.svg", ours), ("theirs.svg", theirs)):
        draw(replace(answer.plots[0], curves=curves), tmp_path / file)
    text, others = (tmp_path / "ours.svg").read_text(), (tmp_path / "theirs.svg").read_text()
    assert OURS_COLOUR in text
    assert OURS_COLOUR not in others
    assert [colour in others for colour in PEER_COLOURS] == [True, True, False]
    assert [colour in text for colour in PEER_COLOURS if colour != PEER_COLOURS[1]] == [False, False]
