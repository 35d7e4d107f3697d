"""plots: curves -> a picture each, as SVG; the same curves, the same file."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.answer import Plot, Scale, is_ours

Points = Sequence[tuple[float, float]]

#: This library's in every picture, where its ways differ in their lines; peers are greys.
OURS_COLOUR: Final = "#c2410c"
PEER_COLOURS: Final = ("#374151", "#9ca3af", "#6b7280")

_LINES: Final = ("-", "--", "-.", ":")
_MARKS: Final = ("o", "s", "^", "D", "v")

_STYLE: Final = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.size": 9,
    "grid.color": "#e5e7eb",
    # Text stays text: the file is small, and can be searched.
    "svg.fonttype": "none",
    # Else the names of elements would be others in each run.
    "svg.hashsalt": "workqueue",
}


class Look(NamedTuple):
    """How a curve is drawn."""

    colour: str
    line: str
    mark: str


def draw(plot: Plot, file: Path) -> None:
    """Write the picture of these curves, on a white ground, which light and dark pages can show.

    On a logarithmic axis a point at 0 has no place, and is left out; where both are, a dotted line shows a cost in
    proportion to its cause.
    """
    curves = {who: _with_a_place(plot.scale, points) for who, points in plot.curves.items()}
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 4), layout="constrained")
        axes = figure.add_subplot(title=plot.title, xlabel=plot.x, ylabel=plot.y)
        for (who, points), look in zip(curves.items(), _looks(curves), strict=True):
            x, y = zip(*points, strict=True) if points else ((), ())
            axes.plot(x, y, look.line, color=look.colour, marker=look.mark, markersize=4, label=who)
        if plot.scale == "growth" and any(curves.values()):
            axes.set(xscale="log", yscale="log")
            _number(axes.xaxis, axes.yaxis)
            _draw_proportion(axes, curves)
        elif plot.scale == "spread" and any(curves.values()):
            axes.set(yscale="log")
            _number(axes.yaxis)
        else:
            axes.set_ylim(bottom=0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(file, metadata={"Creator": None, "Date": None})


def _with_a_place(scale: Scale, points: Points) -> Points:
    return [(x, y) for x, y in points if scale == "plain" or (y > 0 and (scale == "spread" or x > 0))]


def _looks(names: Iterable[str]) -> list[Look]:
    """A look for each of these, no two alike."""
    ours = (Look(OURS_COLOUR, *look) for look in zip(cycle(_LINES), cycle(_MARKS), strict=False))
    peers = (Look(*look) for look in zip(cycle(PEER_COLOURS), cycle(_LINES), cycle(_MARKS), strict=False))
    return [next(ours if is_ours(who) else peers) for who in names]


def _number(*logarithmic: Axis) -> None:
    """Have at least some numbers beside each."""
    for axis in logarithmic:
        low, high = axis.get_view_interval()
        if high < 10 * low:  # one number at most would stand beside it
            axis.set_view_interval(low / 2, high * 2, ignore=True)
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())


def _draw_proportion(axes: Axes, curves: Mapping[str, Points]) -> None:
    """A line of slope 1 through the first point there is, within the limits that the curves have set."""
    first = next((points[0] for points in curves.values() if points), None)
    if first is not None:
        limits = axes.get_xlim()
        heights = [first[1] * x / first[0] for x in limits]
        axes.set(xlim=limits, ylim=axes.get_ylim())
        axes.plot(limits, heights, ":", color="#9ca3af", zorder=0, label="in proportion")
