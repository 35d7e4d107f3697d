"""0 options: the values of a WorkQueue's options, checked where they are given; pure."""


def check_at_least(least: int, **options: float | None) -> None:
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


def check_one_of(**options: object) -> None:
    """Refuse more than one of the options that each say how many jobs run at once.

    Raises:
        TypeError: with their names.
    """
    if sum(option is not None for option in options.values()) > 1:
        *names, last = options
        raise TypeError(f"give WorkQueue one of {', '.join(names)} and {last}: each says how many jobs run at once")


def check_left_to_engine(**options: float | None) -> None:
    """Refuse what the engine that was given would have to keep.

    Raises:
        TypeError: with the option.
    """
    for name, value in options.items():
        if value is not None:
            raise TypeError(f"{name} is for the engine to keep; give it to the engine")
