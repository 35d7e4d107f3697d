"""What an optional part needs beyond the core: where that cannot be imported, the error names the extra to install."""

from types import TracebackType


def how_to_install(extra: str) -> str:
    """The command that installs an extra, as pyproject.toml names it."""
    return f"pip install 'overview-plugin-workqueue[{extra}]'"


class Extra:
    """Guards the imports of an optional part; as a context manager, around nothing but these imports.

    ::

        with Extra("prometheus", __name__):
            from prometheus_client.registry import Collector

    An error about a module of ours passes through: it is a mistake of ours, which no installation mends.

    Args:
        name: the extra's, as pyproject.toml has it.
        part: what cannot be used without it, in the words of those who read the error.
    """

    def __init__(self, name: str, part: str) -> None:
        self._name = name
        self._part = part

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        """Say what to install, if an import failed.

        Raises:
            ModuleNotFoundError: a package is missing.
            ImportError: a package is there, but too old, too new or broken; the extra says which versions work.
        """
        if not isinstance(error, ImportError) or (error.name or "").partition(".")[0] == "workqueue":
            return
        kind = ModuleNotFoundError if isinstance(error, ModuleNotFoundError) else ImportError
        text = f"{self._part} cannot be used: {error}. Install what it needs: {how_to_install(self._name)}"
        raise kind(text, name=error.name, path=error.path) from error
