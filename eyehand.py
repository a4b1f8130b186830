"""The console script's door: finds our packages even when another distribution has packages of the same names.

ROS 2 ships a package that is called `launch`, and a sourced ROS 2 puts it ahead of site-packages on `PYTHONPATH`. So
our seven packages are resolved from the folder that holds this file, whatever `sys.path` says.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

PACKAGES = frozenset({"geometry", "perception", "tracking", "policy", "robot", "deploy", "launch"})
HERE = str(Path(__file__).resolve().parent)


class OwnPackages:
    """Meta path finder that answers for our top-level packages only."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find one of our packages beside this file; leave every other name to the next finder."""
        if path is None and name in PACKAGES:
            return PathFinder.find_spec(name, [HERE], target)
        return None


def main() -> int:
    """Run the command line and return its exit code."""
    if OwnPackages not in sys.meta_path:
        sys.meta_path.insert(0, OwnPackages)  # type: ignore[arg-type]
    try:
        from launch.cli import main as cli

        return cli()
    except KeyboardInterrupt:  # before the command, which knows better what to do
        sys.stderr.write("eyehand: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
