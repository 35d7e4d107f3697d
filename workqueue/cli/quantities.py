"""Sizes, ages, counts and ports, as a person writes and reads them."""

import argparse
import math
import re
from typing import Final

_SIZES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_AGES: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def size(text: str) -> int:
    """``500M``, ``1.5G`` or ``2048`` -> bytes. Units are powers of 1024; ``MB`` and ``MiB`` mean ``M``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size; give a number of bytes, or one with K, M, G or T: 500M"
        )
    return int(float(match[1]) * _SIZES[match[2].upper()])


def age(text: str) -> float:
    """``90s``, ``30m``, ``12h``, ``7d`` or ``2w`` -> seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age; give a number with s, m, h, d or w: 12h")
    return float(match[1]) * _AGES[match[2].lower()]


def count(text: str) -> int:
    """``2`` -> 2, from 1 on."""
    return _whole(text, "not a number from 1; give how many there may be", math.inf)


def port(text: str) -> int:
    """``8080`` -> 8080, from 1 to 65535."""
    return _whole(text, "not a port; give a number from 1 to 65535", 65535)


def _whole(text: str, complaint: str, largest: float) -> int:
    if not (re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= largest):
        raise argparse.ArgumentTypeError(f"{text!r} is {complaint}")
    return int(text)


def shown_size(n_bytes: int) -> str:
    """Bytes -> ``1.5 GB``, in powers of 1024."""
    power = 0 if n_bytes < 1024 else min(4, int(math.log2(n_bytes) // 10))
    unit = ("", "KB", "MB", "GB", "TB")[power]
    return f"{n_bytes / 1024**power:.1f} {unit}" if power else counted(n_bytes, "byte")


def shown_age(seconds: float) -> str:
    """Seconds -> ``3 d``, in the largest unit of which there are at least two; less than 0 is shown as 0."""
    whole = max(0, round(seconds))
    unit = next((unit for unit in "wdhm" if whole >= 2 * _AGES[unit]), "s")
    return f"{whole // _AGES[unit]} {unit}"


def counted(n: int, noun: str) -> str:
    """A number and a noun -> ``1 result``, ``2 results``.

    Args:
        n: how many there are.
        noun: what one of them is called; several take an "s".
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
