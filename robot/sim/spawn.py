"""How the world's processes are started: with this process's module path, and our packages before others' of a name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

_BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); import eyehand; "
    "sys.meta_path.insert(0, eyehand.OwnPackages); from {module} import main; sys.exit(main())"
)


def command(module: str, arguments: Sequence[str]) -> list[str]:
    """The command line that runs `main` of one of our modules as a process."""
    return [sys.executable, "-c", _BOOT.format(module=module), "\n".join(sys.path), *arguments]
