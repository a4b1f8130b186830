"""`python benchmarks/tracking.py`: our image tracker beside others. All of it is in `tracking_compare.py`.

This file has the name of a package, and Python puts the folder of a script first on its path: a benchmark that imports
the package finds this file instead. So it steps aside for the package.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def _step_aside() -> None:
    here, path = Path(__file__).resolve().parent, list(sys.path)
    sys.modules.pop("tracking", None)
    sys.path[:] = [entry for entry in path if Path(entry or ".").resolve() != here]
    try:
        importlib.import_module("tracking")
    finally:
        sys.path[:] = path


_step_aside()

if __name__ == "__main__":
    from tracking_compare import main

    sys.exit(main())
