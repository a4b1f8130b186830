"""`eyehand eval KIND`: each kind is a module of its name; only that one is imported."""

from __future__ import annotations

import argparse
import importlib


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    code: int = importlib.import_module(f"launch.cli.eval_{options.kind}").execute(options)
    return code
