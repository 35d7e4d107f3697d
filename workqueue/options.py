"""0 options: the values of a WorkQueue's options, checked where they are given; pure."""


def check_at_least(least: int, **options: int | None) -> None:
    """Refuse numbers that are too small.

    Raises:
        ValueError: with the option and what it must be.
    """
    for name, value in options.items():
        if value is not None and not value >= least:
            raise ValueError(f"{name} must be {least} or more; got {value!r}")


def check_word(word: str, name: str, words: tuple[str, str]) -> None:
    """Refuse a word that is neither of two.

    Raises:
        ValueError: with the option and what it must be.
    """
    if word not in words:
        raise ValueError(f"{name} must be {words[0]!r} or {words[1]!r}; got {word!r}")
