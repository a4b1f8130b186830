"""Rows of numbers in a text file, and the line that each came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array


def read_numbers(path: Path, form: str, least: int) -> tuple[Array, list[int]]:
    """Read rows of numbers, separated by commas or by white space.

    Blank lines, lines that start with #, a byte order mark and a separator at the end of a row are skipped.

    Args:
        path: The file.
        form: What a row holds, for the errors.
        least: The fewest columns.

    Returns:
        Shape (N, columns), NaN and infinity included, and the number of the line of each row, from 1 on. A file without
        rows gives (0, least).

    Raises:
        BadInput: If the file cannot be read, or a row is too short, of another length than the first, or not of
            numbers, naming file and line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected a text file of rows {form}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not text (byte {error.start}); expected rows {form}") from error
    rows: list[list[float]] = []
    lines: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        fields = _fields(line)
        if len(fields) < least or (rows and len(fields) != len(rows[0])):
            wanted = f"{len(rows[0])} like the rows before" if rows else f"{least} or more: {form}"
            raise BadInput(f"{path}:{number}: {len(fields)} columns; expected {wanted}")
        rows.append([_number(field, f"{path}:{number}", form) for field in fields])
        lines.append(number)
    return np.array(rows, dtype=np.float64) if rows else np.empty((0, least)), lines


def shortest(value: float) -> str:
    """The shortest text that is read back as the same number."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _fields(line: str) -> list[str]:
    if "," not in line:
        return line.split()
    fields = [field.strip() for field in line.split(",")]
    return fields[:-1] if not fields[-1] else fields


def _number(field: str, where: str, form: str) -> float:
    try:
        return float(field.replace("_", "?"))  # 2_1 is 21 to Python alone
    except ValueError:
        raise BadInput(f"{where}: {field[:40]!r} is not a number; expected rows {form}") from None
