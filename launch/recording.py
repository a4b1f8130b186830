"""A recording to read from: its configuration, its ledger, and what happened at its end."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.errors import BadInput
from launch.bag import BagReader
from launch.config import Config
from launch.config.load import from_yaml
from launch.ledger import Rows, rows_from_bytes

LEDGER, CONFIG, END, FACTS = "ledger", "config", "end", "facts"
NO_IMAGES: Final = "recorded without images (record.images: false): this run cannot be replayed"
PACKAGES: Final = ("geometry", "deploy", "perception", "tracking", "policy", "robot", "launch")


def is_run(reader: BagReader) -> bool:
    """Whether the bag holds a run of ours: configuration and ledger."""
    return LEDGER in reader.streams and CONFIG in reader.texts


def run_config(reader: BagReader, path: Path) -> Config:
    """The configuration that a run was made with, resolved.

    Raises:
        BadInput: If the bag has none.
    """
    if CONFIG not in reader.texts:
        raise BadInput(f"{path}: no run in it: no configuration was recorded")
    return from_yaml(reader.text(CONFIG), f"{path}: configuration")


def ledger_blocks(reader: BagReader) -> Iterator[Rows]:
    """The ledger of a run, block by block."""
    for record in reader.records((), (LEDGER,)):
        assert isinstance(record.value, bytes)
        yield rows_from_bytes(record.value)


@dataclass(frozen=True, slots=True)
class End:
    """What a run says of itself when it ends.

    Attributes:
        lost: Rows, messages and frames that could not be recorded.
        code: Hash of the program that made the run.
    """

    lost: int
    code: str

    def to_text(self) -> str:
        """As it is recorded."""
        return json.dumps({"lost": self.lost, "code": self.code})

    @classmethod
    def of(cls, text: str) -> End:
        """As it was recorded; of a text in another form, what it says to be lost, and no code."""
        try:
            fields = json.loads(text)
            return cls(int(fields["lost"]), str(fields["code"]))
        except (ValueError, KeyError, TypeError):
            lost = re.search(r"\blost\W+(\d+)", text)
            return cls(int(lost[1]) if lost else 0, "")


@functools.cache
def code_sha256() -> str:
    """Hash of this program's own source files."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            total.update(path.relative_to(root).as_posix().encode())
            total.update(path.read_bytes())
    return total.hexdigest()
