"""The command line as a user runs it, and one recorded run that the tests of this folder share."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

pytest.importorskip("mujoco", reason="the simulator's extra is not installed: pip install '.[sim]'")

from launch.cli import main


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


@contextlib.contextmanager
def caught(descriptor: int, redirect: Callable[[IO[str]], AbstractContextManager[object]]) -> Iterator[list[str]]:
    """Catch what is written to a descriptor, by Python and by the libraries below it; it is there at the end."""
    found: list[str] = []
    before = os.dup(descriptor)
    with tempfile.TemporaryFile("w+b") as file:
        os.dup2(file.fileno(), descriptor)
        try:
            with open(descriptor, "w", encoding="utf-8", closefd=False) as stream, redirect(stream):
                yield found
        finally:
            os.dup2(before, descriptor)
            os.close(before)
            file.seek(0)
            found.append(file.read().decode())


@pytest.fixture(scope="session")
def eyehand() -> Eyehand:
    """Run `eyehand` as its console script does, in the process of the tests: a fresh one takes seconds to start."""

    def call(*arguments: object) -> Done:
        with caught(1, contextlib.redirect_stdout) as out, caught(2, contextlib.redirect_stderr) as err:
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as end:  # argparse
                code = int(end.code or 0)
        return Done(code, out[0], err[0])

    return call


@pytest.fixture(scope="session")
def fresh_eyehand() -> Eyehand:
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
