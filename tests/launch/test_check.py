"""What is wrong with a configuration is found before anything is started."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("onnxruntime", reason="the extra is not installed: pip install '.[cpu]'")

from deploy.errors import Missing
from launch.check import check
from launch.config import load_config
from launch.wiring import resolve


def test_an_arm_whose_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve(load_config("ur10e_loopback"))
    monkeypatch.setitem(sys.modules, "script_client", None)
    with pytest.raises(Missing, match=r"eyehand\[ur\]"):
        check(config)
