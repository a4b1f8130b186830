"""Which policy a run takes, and which it refuses: in one sentence, before anything moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.cli.main import main
from launch.config import load_config
from launch.policies import build_policy, resolve_policy
from policy import LearnedPolicy, PolicySpec, ScriptedExpert
from policy.features import STATE, STATE_NAMES, UNITS, action_names
from policy.spec import VectorSpec
from tests.policy.fake_engine import spec
from tests.policy.test_observation import observation
from tests.policy.tiny_policy import write_policy


def configured(path: Path, *assignments: str) -> Any:
    return load_config("sim_pick_place", ["policy.type=learned", f"policy.model={path}", *assignments])


def test_a_model_from_the_store_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = np.linspace(0.0, 0.5, 112).reshape(16, 7)
    write_policy(tmp_path / "models" / "mine" / "model.onnx", spec(), plan)
    config = load_config("sim_pick_place", ["policy.type=learned", "policy.model=mine"])
    resolved = resolve_policy(config.policy)
    assert resolved.file == "model.onnx"
    assert len(resolved.sha256 or "") == 64
    policy = build_policy(config.model_copy(update={"policy": resolved}))
    assert isinstance(policy, LearnedPolicy)
    np.testing.assert_allclose(policy.plan(observation()).actions, plan, rtol=1e-6)


def test_the_expert_is_given_the_place_of_the_bin() -> None:
    config = load_config("sim_pick_place", ["policy.type=expert", "task.bin_in_base_m=[-0.6,-0.4,0.0]"])
    policy = build_policy(config)
    assert isinstance(policy, ScriptedExpert)
    assert policy.parameters.bin_m == (-0.6, -0.4)


def _swapped() -> PolicySpec:
    names = list(action_names("joint_position"))
    names[0], names[1] = names[1], names[0]
    return spec(action_names=tuple(names))


def _in_degrees() -> PolicySpec:
    units = tuple("deg" if UNITS[name] == "rad" else UNITS[name] for name in STATE_NAMES)
    return replace(spec(), vectors=(VectorSpec(STATE, STATE_NAMES, units),))


REFUSED = [
    pytest.param(_swapped(), (), "number 0 of action is shoulder_lift_joint.pos", id="order"),
    pytest.param(_in_degrees(), (), "is in 'deg', expected 'rad'", id="units"),
    pytest.param(spec(action_names=action_names("joint_position")[1:]), (), "action has 6 numbers", id="joints"),
    pytest.param(spec(action_max=(90.0,) * 7), (), "in degrees", id="limits"),
    pytest.param(spec(dt_ns=50_000_000), (), "plans actions 50 ms apart, policy.action_dt_ms is 100", id="dt"),
    pytest.param(spec(chunk_size=3), (), "plans 0.2 s ahead", id="short"),
    pytest.param(spec(), ("policy.schedule.mode=rtc",), "was not trained to go on from a frozen prefix", id="rtc"),
]


@pytest.mark.parametrize(("described", "assignments", "sentence"), REFUSED)
def test_a_model_that_does_not_suit_is_refused(
    tmp_path: Path, described: PolicySpec, assignments: tuple[str, ...], sentence: str
) -> None:
    file = write_policy(tmp_path / "odd.onnx", described)
    with pytest.raises(BadInput, match=sentence):
        build_policy(configured(file, *assignments))


def test_another_step_can_be_asked_for(tmp_path: Path) -> None:
    file = write_policy(tmp_path / "quick.onnx", spec(dt_ns=50_000_000))
    assert build_policy(configured(file, "policy.action_dt_ms=50")).dt_ns == 50_000_000


def test_a_refusal_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_policy(tmp_path / "odd.onnx", _swapped())
    arguments = ["run", "--set", "policy.type=learned", "--set", f"policy.model={file}", "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert "wrong order or another robot" in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_a_detector_is_no_policy() -> None:
    with pytest.raises(BadInput, match="is a detector, and a policy is needed here"):
        build_policy(load_config("sim_pick_place", ["policy.type=learned", "policy.model=tabletop-yolov8n"]))
