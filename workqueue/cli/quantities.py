"""Sizes and ages, as a person writes and reads them."""

import argparse
import math
import re
from typing import Final

_SIZES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_AGES: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def size(text: str) -> int:
    """``500M``, ``1.5G`` or ``2048`` -> bytes; units are powers of 1024, and ``MB`` and ``MiB`` the same as ``M``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give a number of bytes, or one with K, M, G or T")
    return int(float(match[1]) * _SIZES[match[2].upper()])


def age(text: str) -> float:
    """``90s``, ``30m``, ``12h``, ``7d`` or ``2w`` -> seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip(), re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; give a number with s, m, h, d or w")
    return float(match[1]) * _AGES[match[2].lower()]


def shown_size(n_bytes: int) -> str:
    """Bytes -> ``1.5 GB``."""
    power = 0 if n_bytes < 1024 else min(4, int(math.log2(n_bytes) // 10))
    unit = ("bytes", "KB", "MB", "GB", "TB")[power]
    return f"{n_bytes} {unit}" if not power else f"{n_bytes / 1024**power:.1f} {unit}"


def shown_age(seconds: float) -> str:
    """Seconds -> ``3 d``, in the largest unit of which there are two; a time in the future is no age yet."""
    whole = max(0, round(seconds))
    unit = next((unit for unit in "wdhm" if whole >= 2 * _AGES[unit]), "s")
    return f"{whole // _AGES[unit]} {unit}"
