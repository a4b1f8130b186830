"""A run as a picture in time: its ledger as a trace for Perfetto (ui.perfetto.dev) and other viewers.

Owns: which tracks a run has, what is drawn on them, and how a frame is followed from its photons to a command.

Does not own: the file format (`deploy.trace_events`), what the rows mean (`launch.ledger`), figures (`launch.tally`).
"""

from __future__ import annotations

from launch.trace.frame_paths import FramePaths, frame_paths
from launch.trace.write import write_trace

__all__ = ["FramePaths", "frame_paths", "write_trace"]
