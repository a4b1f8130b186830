"""Fixtures that every test folder shares."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings that live beside the checkout; their licences differ, so they are not part of the project."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}")
    return folder


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays until the end: tests that run it would go through all modules."""
    gc.collect()
    gc.freeze()
