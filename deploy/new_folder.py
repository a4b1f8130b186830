"""Folders that a command makes: new ones only, and whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import BadInput


def check_new(folder: Path, option: str = "--out") -> None:
    """Refuse a folder that has content: nothing of it may be mixed with what is made, or lost.

    Args:
        folder: The folder to be.
        option: The command's option that names it.

    Raises:
        BadInput: If it is not a new or an empty folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{option} {folder}: exists and is not an empty folder; name a new one")


@contextmanager
def workshop(folder: Path, option: str = "--out") -> Iterator[Path]:
    """A place beside a folder to be, which is gone afterwards.

    Args:
        folder: The folder to be.
        option: The command's option that names it.

    Raises:
        BadInput: If nothing can be written there.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BadInput(f"{option} {folder}: cannot write there ({error.strerror}); name another folder") from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
