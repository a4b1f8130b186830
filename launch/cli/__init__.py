"""The command line: arguments in, exit code out. Heavy imports happen inside the command that needs them."""

from launch.cli.main import main

__all__ = ["main"]
