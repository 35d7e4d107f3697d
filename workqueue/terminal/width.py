"""width: text -> the columns that it takes on a terminal, and as much of it as fits."""

import unicodedata


def width_of(text: str) -> int:
    """How many columns a text takes on a terminal.

    Args:
        text: without control characters.
    """
    return sum(map(_columns, text))


def cut_to_width(text: str, width: int) -> str:
    """As much of a text as fits, with an ellipsis in place of the rest.

    Args:
        text: without control characters.
        width: how many columns there are; below 1 there is no room for anything.
    """
    if width_of(text) <= width:
        return text
    taken, columns = [], 1  # the ellipsis
    for character in text:
        columns += _columns(character)
        if columns > width:
            break
        taken.append(character)
    return "".join(taken) + "…" if width > 0 else ""


def _columns(character: str) -> int:
    # A soft hyphen is a format character, and terminals show it.
    if character != "\xad" and unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
