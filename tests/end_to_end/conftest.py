"""The command line as a user runs it, and one recorded run that the tests of this folder share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        assert self.out.count("\n") == 1, f"more than one line on stdout:\n{self.out}\n{self.err}"
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Eyehand = Callable[..., Done]


@pytest.fixture(scope="session")
def eyehand() -> Eyehand:
    """Run `eyehand` in a fresh process."""

    def call(*arguments: object, timeout: float = 300, env: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "eyehand", *map(str, arguments)],
            capture_output=True, text=True, timeout=timeout, check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def recorded(eyehand: Eyehand, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One episode of the reference task: its folder and what `--json` said."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    done = eyehand("run", "--episodes", 1, "--seed", 20, "--out", folder, "--json")
    assert done.code in (0, 1), done.err
    return folder, done.json
