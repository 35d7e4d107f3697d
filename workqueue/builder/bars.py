"""bars: tqdm's interface -> lines of progress.

The names, their meaning and the order of the arguments are those of tqdm 4. What only concerns drawing is accepted and
ignored. Departures: `write` prints to stderr, and ``disable=None`` does not mean "unless this is a terminal".
"""

from __future__ import annotations

import sys

from workqueue.builder.loops import Loop, length
from workqueue.builder.stdout import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Any, Generic, TypeVar

    T = TypeVar("T")
else:

    class Generic:
        """In the place of typing's, whose import would cost more than all the rest."""

        def __class_getitem__(cls, _parameter: object) -> type:
            return cls

    T = None


class tqdm(Generic[T]):  # noqa: N801 - its name is the point
    """tqdm's bar, as lines of progress: ``from workqueue.builder import tqdm`` in place of tqdm's own line.

    At most 20 lines a second are printed, and the last always. A bar within another refines that one's current item.

    Args:
        iterable: what to go through; None: `update` is called by hand.
        desc: stands before the numbers.
        total: how many items there will be, where the iterable has no ``len()``.
        leave: ignored, like all that is not named here.
        initial: where to begin to count.
        unit: what is counted, told where there is no total.
        unit_scale: whether to tell large numbers as ``1.2M``; a number: multiply by it.
        unit_divisor: 1000, or 1024 for bytes.
        disable: print nothing.
        postfix: as for `set_postfix`.
    """

    def __init__(
        self,
        iterable: Iterable[T] | None = None,
        desc: str | None = None,
        total: float | None = None,
        leave: bool | None = True,  # noqa: ARG002
        *_drawing: object,
        unit: str = "it",
        unit_scale: bool | float = False,
        unit_divisor: float = 1000,
        initial: float = 0,
        disable: bool | None = False,
        postfix: Mapping[str, object] | str | None = None,
        **_options: object,
    ) -> None:
        if total is None and iterable is not None:
            total = length(iterable)
        self.iterable = iterable
        self.desc = desc or ""
        self.total = None if total == float("inf") else total
        self.unit = unit
        self.unit_scale = unit_scale
        self.unit_divisor = unit_divisor
        self.initial = initial
        self.n = initial
        self.disable = bool(disable)
        self.postfix = ""
        self._loop = None if self.disable else Loop(self.total)
        if self._loop is not None:
            self._loop.move(initial)
        if isinstance(postfix, str):
            self.postfix = postfix
        elif postfix:
            self.set_postfix(postfix, refresh=False)
        self._show()

    def __iter__(self) -> Iterator[T]:
        assert self.iterable is not None, "a tqdm without an iterable cannot be iterated over"
        try:
            for item in self.iterable:
                yield item
                self.update()
        finally:
            self.close()

    def update(self, n: float | None = 1) -> None:
        """So many items more are done."""
        if self._loop is None:
            return
        self.n += n or 0
        self._loop.move(self.n)
        if STDOUT.is_due:
            self.refresh()

    def close(self) -> None:
        """Print where it stands; nothing happens after this. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.move(self.n)
            loop.say_last(self._message)
            loop.leave()

    def set_description(self, desc: str | None = None, refresh: bool = True) -> None:
        """Say what is being done."""
        self.desc = desc or ""
        self._show(refresh)

    def set_description_str(self, desc: str | None = None, refresh: bool = True) -> None:
        """The same as `set_description`."""
        self.set_description(desc, refresh)

    def set_postfix(
        self,
        ordered_dict: Mapping[str, object] | None = None,
        refresh: bool = True,
        **values: object,
    ) -> None:
        """Say some values behind the numbers; numbers in three digits, if that is shorter."""
        values = {**(ordered_dict or {}), **dict(sorted(values.items()))}
        self.postfix = ", ".join(f"{name}={_shown_value(value)}" for name, value in values.items())
        self._show(refresh)

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Say something behind the numbers."""
        self.postfix = str(s)
        self._show(refresh)

    def refresh(self, *_drawing: object, **_options: object) -> None:
        """Print where it stands, now."""
        if self._loop is not None:
            self._loop.say(self._message())

    def reset(self, total: float | None = None) -> None:
        """Begin again. The fraction does not go back."""
        self.n = 0
        if total is not None:
            self.total = total
        if self._loop is not None:
            self._loop.total = self.total
            self.update(0)

    def clear(self, *_drawing: object, **_options: object) -> None:
        """Do nothing: no bar is drawn."""

    def unpause(self) -> None:
        """Do nothing: no rate is computed."""

    @classmethod
    def write(cls, s: str, file: Any = None, end: str = "\n", nolock: bool = False) -> None:  # noqa: ARG003
        """Print a text; to stderr, unless a `file` other than stdout is given."""
        file = sys.stderr if file is None or file is sys.stdout else file
        file.write(f"{s}{end}")

    def __len__(self) -> int:
        return int(self.total or 0) if self.iterable is None else length(self.iterable) or int(self.total or 0)

    def __bool__(self) -> bool:
        return self.iterable is not None or self.total is None or self.total > 0

    def __enter__(self) -> tqdm[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A bar that was never closed would go on to have what follows within its current item.
        loop, self._loop = getattr(self, "_loop", None), None
        if loop is not None:
            loop.leave()

    def _show(self, refresh: bool = True) -> None:
        if refresh and self._loop is not None and STDOUT.is_due:
            self.refresh()

    def _message(self) -> str:
        # What is above its total has none, for tqdm.
        has_total = self.total and self.n < self.total + 0.5
        numbers = (
            f"{self._shown(self.n)}/{self._shown(self.total or 0)}" if has_total else self._shown(self.n) + self.unit
        )
        texts = [numbers, self.postfix] if self.postfix else [numbers]
        return f"{self.desc.removesuffix(': ')}: {', '.join(texts)}" if self.desc else ", ".join(texts)

    def _shown(self, number: float) -> str:
        if not self.unit_scale:
            return str(number)
        if self.unit_scale not in (True, 1):
            return str(number * self.unit_scale)
        return shown_size(number, self.unit_divisor)


def trange(*arguments: int, **options: Any) -> tqdm[int]:
    """``tqdm(range(...), ...)``."""
    return tqdm(range(*arguments), **options)


def shown_size(number: float, divisor: float) -> str:
    """A number in three digits, and a letter for its size, as tqdm shows it."""
    for unit in ("", "k", "M", "G", "T", "P", "E", "Z"):
        if abs(number) < 999.5:
            digits = 0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2
            return f"{number:.{digits}f}{unit}"
        number /= divisor
    return f"{number:.1f}Y"


def _shown_value(value: object) -> str:
    whole = str(value).strip()
    if not isinstance(value, (int, float)):
        return whole
    short = f"{value:.3g}".replace("e+0", "e+").replace("e-0", "e-")
    return min(whole, short, key=len)
