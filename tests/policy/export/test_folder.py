"""The folder of an exported policy: what its passport and card say, and that the store and the run time take it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.model_store import ModelStore
from deploy.onnxruntime_backend import OnnxRuntimeBackend
from deploy.policy_passport import PolicyPassport
from policy.export.checkpoint import open_checkpoint
from policy.export.folder import write_passport
from policy.export.parity import Parity
from policy.features import ENVIRONMENT, STATE
from policy.learned import LearnedPolicy
from tests.policy.export.checkpoints import write_checkpoint
from tests.policy.fake_engine import spec
from tests.policy.tiny_policy import write_policy

VERSIONS = {"eyehand": "0.1.0", "lerobot": "0.4.4", "torch": "2.10.0", "onnx": "1.20.0"}


def test_passport_and_card_say_what_the_file_is(tmp_path: Path) -> None:
    described = replace(spec(prefix=2), action_min=(-3.0,) * 7, action_max=(2.5,) * 7)
    file = write_policy(tmp_path / "store" / "arm" / "model.onnx", described)
    backend = OnnxRuntimeBackend(file)
    parity = Parity(64, "frames of demos", {"gripper.pos": 3e-7, "elbow_joint.pos": 4e-7}, 1e-5)
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "checkpoint", dim_model=128, vision_backbone="resnet18"))
    (checkpoint.folder / "eyehand_policy.json").write_text(described.to_json())
    written = write_passport(file.parent, "arm", described, backend, parity, checkpoint, VERSIONS)

    model = ModelStore([tmp_path / "store"]).find("arm")
    assert model.passport == written
    assert isinstance(model.passport, PolicyPassport)
    model.passport.check_metadata(backend.metadata)
    assert model.passport.inputs == {STATE: "1x10", ENVIRONMENT: "1x22"}
    assert model.passport.outputs == {"action": "1x16x7"}
    assert model.passport.parity is not None
    assert model.passport.parity["max_abs_error"] == 4e-7
    assert model.passport.parity["inputs"] == 64
    assert model.passport.training == {"dim_model": 128}, "without pictures a backbone is no part of it"
    assert model.passport.source == {"name": "checkpoint", "sha256": checkpoint.sha256}
    for words in (
        "16 actions, 100 ms apart", "joint angles (`joint_position`)", "up to 2 frozen actions",
        "object.vx [m/s], object.vy [m/s], object.vz [m/s], object.seen [1], and the frozen prefix",
        "| `elbow_joint.pos` | rad | -3.0000 | 2.5000 |", "within 4e-07 (allowed 1e-05) on 64 frames of demos",
        "demonstrations: `0123`", "lerobot 0.4.4", "Apache-2.0, as LeRobot",
    ):  # fmt: skip
        assert words in model.card
    assert LearnedPolicy(backend, "arm").prefix == 2


@pytest.mark.parametrize(
    ("card", "ours", "licence", "words"),
    [
        (None, True, "Apache-2.0", "Apache-2.0, as LeRobot"),
        (None, False, "unknown", "Unknown: the checkpoint does not say"),
        ("# No front matter\n---\nlicense: mit\n---\n", False, "unknown", "Unknown: the checkpoint does not say"),
        ("---\nlicense: [\n---\n", False, "unknown", "Unknown: the checkpoint does not say"),
        ("---\nlicense: cc-by-nc-4.0\n---\n# Arm\n", False, "cc-by-nc-4.0", "cc-by-nc-4.0, as its author says"),
        ("---\nlicense: mit\n---\n# Arm\n", True, "mit", "mit, as its author says"),
    ],
)
def test_the_licence_is_its_authors(tmp_path: Path, card: str | None, ours: bool, licence: str, words: str) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint")
    if card is not None:
        (folder / "README.md").write_text(card)
    if ours:
        (folder / "eyehand_policy.json").write_text(spec().to_json())
    described = spec(robot="ur10e", bin_in_base_m=(-0.65, -0.45, 0.0))
    file = write_policy(tmp_path / "arm" / "model.onnx", described)
    parity = Parity(64, "frames of demos", {"gripper.pos": 3e-7}, 1e-5)
    backend = OnnxRuntimeBackend(file)
    written = write_passport(file.parent, "arm", described, backend, parity, open_checkpoint(folder), VERSIONS)
    text = (file.parent / "README.md").read_text()
    assert written.license == licence
    assert words in text.partition("## Licence")[2]
    assert "robot `ur10e`, bin at (-0.65, -0.45, 0) m of the base" in text
