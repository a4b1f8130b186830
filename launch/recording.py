"""A recording to read from: its configuration, its ledger, and what happened at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deploy.errors import BadInput
from launch.bag import BagReader
from launch.config import Config
from launch.config.load import from_yaml
from launch.ledger import Rows, rows_from_bytes

LEDGER, CONFIG, END = "ledger", "config", "end"


def is_run(reader: BagReader) -> bool:
    """Whether the bag holds a run of ours: configuration and ledger."""
    return LEDGER in reader.streams and CONFIG in reader.texts


def run_config(reader: BagReader, path: Path) -> Config:
    """The configuration that a run was made with, resolved.

    Raises:
        BadInput: If the bag has none.
    """
    if CONFIG not in reader.texts:
        raise BadInput(f"{path}: a bag of images without a run in it; a report needs a run folder of `eyehand run`")
    return from_yaml(reader.text(CONFIG), f"{path}: configuration")


def ledger_blocks(reader: BagReader) -> Iterator[Rows]:
    """The ledger of a run, block by block."""
    for record in reader.records((), (LEDGER,)):
        assert isinstance(record.value, bytes)
        yield rows_from_bytes(record.value)


def lost_rows(end: str | None) -> str | None:
    """Why a run cannot be replayed to the same bytes, or None if it can.

    Args:
        end: The text that a run leaves at its end; None if it left none.
    """
    if end is None:
        return "the recording has no end: the run was killed"
    count = int(end.removeprefix("lost: "))
    return f"the run lost {count} rows or frames while recording" if count else None
