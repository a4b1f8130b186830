"""Runs as bags: one MCAP file of standard ROS 2 messages with our rows beside them.

Owns: which topics a run has, what is in them, and how they are read back.

Does not own: what the rows mean (`launch.ledger`, `launch.codec`), image messages and foreign bags (`perception`).
"""

from __future__ import annotations

from launch.bag.reader import BagReader, Record
from launch.bag.writer import BagWriter

__all__ = ["BagReader", "BagWriter", "Record"]
