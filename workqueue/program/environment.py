"""5 environment: what of this process's environment a program gets, and what is added.

A web server's environment holds its secrets, so a queue can bound what its program inherits. Names and values are
bytes: what this process was given is passed on as it is, whatever the locale; what is added is UTF-8.
"""

import functools
import os
import sys
from collections.abc import Collection, Mapping
from typing import Final

from workqueue.program.interpreter import helper_environment, is_frozen

Environment = dict[bytes, bytes]

#: What a program hardly runs without: where commands are, whose files it keeps, its language, where temporary files go.
LEAST: Final = ("PATH", "HOME", "LANG", "TMPDIR")


def check_environment(env: Mapping[str, str], inherit_env: bool | Collection[str]) -> None:
    """Refuse what can be no environment.

    Raises:
        TypeError: a name or a value is no string.
        ValueError: a name is empty or holds "=", or something holds a NUL character.
    """
    if isinstance(inherit_env, str):
        raise TypeError("inherit_env must be True, False or a collection of names, not one name")
    names = () if isinstance(inherit_env, bool) else inherit_env
    for text in (*env, *env.values(), *names):
        if not isinstance(text, str):
            raise TypeError(f"names and values of env and inherit_env must be strings; got {text!r}")
        if "\0" in text:
            raise ValueError("names and values of env and inherit_env must not contain a NUL character")
    for name in (*env, *names):
        if not name or "=" in name:
            raise ValueError(f"a name of env and inherit_env must not be empty, nor contain '='; got {name!r}")


def make_environment(added: Mapping[str, str], inherited: bool | Collection[str] = True) -> Environment:
    """The environment of a program that starts now.

    PYTHONUNBUFFERED is set: Python, like most runtimes, holds back what it prints to a pipe until 8 KiB have come
    together, and a program that does so shows no progress until it ends.

    Args:
        added: names and values to add, in place of inherited ones.
        inherited: True: all of this process's environment. A collection: these names of it, and no other. False: those
            of `LEAST`.
    """
    # A frozen application's own libraries are not the program's.
    everything = dict(os.environb) if not is_frozen() else _encoded(helper_environment())
    if inherited is True:
        environment = everything
    else:
        names = map(os.fsencode, LEAST if inherited is False else inherited)
        environment = {name: everything[name] for name in names if name in everything}
    environment[b"PATH"] = _with_our_python(environment.get(b"PATH", os.fsencode(os.defpath)))
    environment[b"PYTHONUNBUFFERED"] = b"1"
    environment.update((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in added.items())
    return environment


def _encoded(environment: Mapping[str, str]) -> Environment:
    return {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}


@functools.lru_cache(maxsize=8)  # it looks at the file system, and each start asks for the same
def _with_our_python(path: bytes) -> bytes:
    """PATH on which ``#!/usr/bin/env python3`` finds the environment of this process first, as if it were activated."""
    ours = os.path.join(sys.prefix, "bin")  # noqa: PTH118 - PATH is text
    if is_frozen() or not os.path.exists(f"{ours}/python3"):  # noqa: PTH110
        return path
    import shutil  # noqa: PLC0415 - it brings every compression; whoever imports the package alone needs none

    found = shutil.which("python3", path=os.fsdecode(path))
    if found is not None and os.path.dirname(found) == ours:  # noqa: PTH120
        return path
    return os.fsencode(ours) + os.pathsep.encode() + path
