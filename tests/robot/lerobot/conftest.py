"""The folder of plug-ins on the path: LeRobot imports them by name, and a dependency of its ships a package `tests`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "plugins"))
