"""How wide a text is on a terminal, and what of it fits."""

import pytest

from workqueue.terminal.width import cut_to_width, width_of


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 6, "日本語"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("e\u0301te\u0301", 3, "e\u0301te\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("", 0, ""),
        ("a\xadb", 2, "a…"),
        ("a\u200bb", 2, "a\u200bb"),
        ("👩\u200d👩\u200d👧", 3, "👩\u200d…"),
    ],
)
def test_a_cut_text_fits(text: str, width: int, cut: str) -> None:
    assert cut_to_width(text, width) == cut
    assert width_of(cut) <= width
