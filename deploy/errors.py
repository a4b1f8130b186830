"""What a user can do wrong, or a machine can lack, as exceptions that the command line turns into exit codes."""

from __future__ import annotations

import importlib
from types import ModuleType


class EyehandError(Exception):
    """Base of the errors that end a command with one line instead of a traceback."""

    exit_code = 2


class BadInput(EyehandError, ValueError):
    """The user's mistake: a value, file or configuration that cannot be used; it names value, limit and remedy."""

    exit_code = 2


class Missing(EyehandError):
    """Hardware or a dependency that is not there, or stopped answering. The message names it and the remedy."""

    exit_code = 3


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which extra brings it.

    Args:
        module: Import name, for example `mujoco`.
        extra: Name of the extra of this distribution that installs it, for example `sim`.

    Returns:
        The imported module.

    Raises:
        Missing: If the module cannot be imported, naming the extra to install and the reason.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{module} cannot be imported ({error}): pip install 'eyehand[{extra}]'") from error
