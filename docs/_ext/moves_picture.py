"""The table of a job's moves -> a picture of it: a column for each state, a row with an arrow for each move; pure."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from workqueue.jobs.lifecycle import Event, State

COLUMN, ROW, HEAD, LOOP = 120, 34, 44, 34

_TIP = (
    '<marker id="job-moves-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker>'
)


def svg(moves: Mapping[tuple[State, Event], State]) -> str:
    """The picture, in the colours and the font of the page it stands in."""
    width, height = COLUMN * len(State), HEAD + ROW * len(moves) + 12
    columns = {state: COLUMN * i + COLUMN // 2 for i, state in enumerate(State)}
    size = f'viewBox="0 0 {width} {height}" style="width: 100%; height: auto"'
    parts = [
        f'<svg class="job-moves" role="img" xmlns="http://www.w3.org/2000/svg" {size} font-size="13">',
        "<title>What may happen to a job in each state</title>",
        f"<desc>{escape(' '.join(sentences(moves)))}</desc>",
        f"<defs>{_TIP}</defs>",
        '<g fill="currentColor">',
        *(_column(state, x, height) for state, x in columns.items()),
        *(
            _row(event, columns[state], columns[after], HEAD + ROW * i + ROW * 3 // 4)
            for i, ((state, event), after) in enumerate(moves.items())
        ),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts)


def sentences(moves: Mapping[tuple[State, Event], State]) -> list[str]:
    """The same in words."""
    return [f"{state.value}, on {event.value}: {after.value}." for (state, event), after in moves.items()]


def _column(state: State, x: int, height: int) -> str:
    weight = ' font-weight="bold"' if state.is_final else ""
    return (
        f'<text x="{x}" y="20" text-anchor="middle"{weight}>{state.value}</text>'
        f'<line x1="{x}" y1="30" x2="{x}" y2="{height}" stroke="currentColor" stroke-opacity="0.3"/>'
    )


def _row(event: Event, start: int, end: int, y: int) -> str:
    if start == end:
        path = f"M{start} {y - 12} h{LOOP - 8} q8 0 8 6 q0 6 -8 6 h-{LOOP - 10}"
        label = f'<text x="{start + LOOP + 6}" y="{y - 2}">{event.value}</text>'
    else:
        path = f"M{start} {y} H{end - 2 if end > start else end + 2}"
        label = f'<text x="{start + 8}" y="{y - 5}">{event.value}</text>'
    arrow = f'<path d="{path}" fill="none" stroke="currentColor" marker-end="url(#job-moves-tip)"/>'
    return f'<g class="move" data-event="{event.value}" data-from="{start}" data-to="{end}">{arrow}{label}</g>'
