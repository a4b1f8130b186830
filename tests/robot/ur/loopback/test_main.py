"""`python -m robot.ur.loopback`; that it runs is shown by every test with ur_rtde."""

from __future__ import annotations

import sys

import pytest

from robot.ur.loopback.__main__ import main


@pytest.mark.parametrize(
    ("options", "says"), [(["--model", "ur99"], "ur99"), (["--address", "192.0.2.1"], "of 192.0.2.1 cannot be had")]
)
def test_a_users_mistake_is_one_sentence(
    options: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["loopback", *options])
    assert main() == 2
    assert says in capsys.readouterr().err
