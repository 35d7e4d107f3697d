"""Descriptors that are ours alone; what becomes of them in forked children is in tests/processes."""

import gc
import os

import pytest

from workqueue.system.descriptors import close_own, open_own


def open_null() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


class Dropped:
    """Has a descriptor, and itself, so that only the garbage collector closes it."""

    def __init__(self) -> None:
        self.fd = open_own(open_null)
        self.itself = self

    def __del__(self) -> None:
        close_own(self.fd)


def test_the_garbage_collector_may_close_one_while_another_is_opened() -> None:
    """It comes wherever something is allocated, and so while the lock is held."""

    def open_one() -> int:
        gc.collect()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(dropped)
        return open_null()

    gc.disable()
    try:
        dropped = Dropped().fd
        fd = open_own(open_one)
    finally:
        gc.enable()
    close_own(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_one_is_closed_once() -> None:
    """Its number may be another's by then."""
    fd = open_own(open_null)
    close_own(fd)
    other = open_null()
    try:
        assert other == fd
        close_own(fd)
        os.fstat(other)
    finally:
        os.close(other)
