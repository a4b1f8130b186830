"""`python -m robot.ur.loopback`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.robot.ur.loopback_process import ROOT


@pytest.mark.parametrize(
    ("options", "says"), [(["--model", "ur99"], "ur99"), (["--address", "192.0.2.1"], "of 192.0.2.1 cannot be had")]
)
def test_a_users_mistake_is_one_sentence(options: list[str], says: str) -> None:
    command = [sys.executable, "-m", "robot.ur.loopback", "--seconds", "1", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60.0, check=False)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
