"""Types of arguments: argparse shows their names in its errors."""

from __future__ import annotations

import argparse
import re


class at_least:  # noqa: N801 - argparse shows the name of a type in its errors
    """Whole numbers from a least one on."""

    def __init__(self, least: int) -> None:
        self._least = least
        self.__name__ = f"whole number >= {least}"

    def __call__(self, text: str) -> int:
        """The number that a text stands for."""
        value = int(text)
        if value < self._least:
            raise ValueError(text)
        return value


def fraction(text: str) -> float:
    """A number in [0, 1]."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers >= 1, with commas between them: 1,4,16."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers >= 1 such as 1,4,16")
    return numbers


def words(text: str) -> tuple[str, ...]:
    """Words with commas between them."""
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise argparse.ArgumentTypeError(f"{text!r}: expected words with commas between them")
    return parts


def image_size(text: str) -> tuple[int, int]:
    """Width and height [px] from 320x256, or from one number for both."""
    match = re.fullmatch(r"([1-9][0-9]*)(?:x([1-9][0-9]*))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT such as 320x256, or one number for both")
    return int(match[1]), int(match[2] or match[1])
