"""Why the demo cannot start."""


class CannotStartError(Exception):
    """The demo cannot start as it was asked to; the text says why."""
