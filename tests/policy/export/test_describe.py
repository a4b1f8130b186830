"""Names and units of an exported policy: from its training's note, from its dataset, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from policy.export.checkpoint import open_checkpoint
from policy.export.describe import describe
from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, STATE, STATE_NAMES, action_names
from policy.training.demonstrations import Demonstrations
from tests.policy.export.checkpoints import CONFIG, write_checkpoint
from tests.policy.fake_engine import spec

CAMERA = "observation.images.wrist"


def demonstrations(**change: Any) -> Demonstrations:
    rng = np.random.default_rng(0)
    names = {STATE: STATE_NAMES, ENVIRONMENT: ENVIRONMENT_NAMES, ACTION: action_names("joint_position")}
    vectors = {name: rng.uniform(-1, 1, (50, len(each))).astype(np.float32) for name, each in names.items()}
    made = Demonstrations(
        folder=Path("demos"), fps=10.0, vectors=vectors, names=names, episode=np.repeat([0, 1], 25), images={},
        action_space="joint_position", fingerprint="ab12",
    )  # fmt: skip
    return replace(made, **change)


def renamed(feature: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {"names": {**demonstrations().names, feature: names}}


def test_the_note_of_the_training_is_taken(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / "eyehand_policy.json").write_text(spec().to_json())
    checkpoint = open_checkpoint(tmp_path)
    assert describe(checkpoint, 16, None, None) == spec()
    same = demonstrations(fps=30.0, fingerprint="0123")
    assert describe(checkpoint, 16, same, "joint_position") == spec(), "the note counts"
    with pytest.raises(BadInput, match=r"--dataset demos has fingerprint ab12, .*trained on 0123: give that one"):
        describe(checkpoint, 16, demonstrations(), None)
    with pytest.raises(BadInput, match=r"--action-space ee_pose: .*eyehand_policy\.json says joint_position"):
        describe(checkpoint, 16, None, "ee_pose")


def test_the_dataset_adds_what_the_note_lacks(tmp_path: Path) -> None:
    cell: dict[str, Any] = {"robot": "ur10e", "object_class": "red_cube", "bin_in_base_m": (-0.65, -0.45, 0.0)}
    write_checkpoint(tmp_path)
    note = tmp_path / "eyehand_policy.json"
    note.write_text(spec().to_json())
    data = demonstrations(fingerprint="0123", **cell)
    assert describe(open_checkpoint(tmp_path), 16, data, None) == spec(**cell)
    note.write_text(spec(object_class="mug").to_json())
    assert describe(open_checkpoint(tmp_path), 16, data, None).object_class == "mug", "the note counts"
    note.unlink()
    found = describe(open_checkpoint(tmp_path), 16, data, None)
    assert {name: getattr(found, name) for name in cell} == cell


def test_the_dataset_says_the_rest(tmp_path: Path) -> None:
    features = {**CONFIG["input_features"], CAMERA: {"type": "VISUAL", "shape": [3, 24, 32]}}
    data = demonstrations()
    found = describe(open_checkpoint(write_checkpoint(tmp_path, input_features=features)), 16, data, None)
    assert (found.kind, found.chunk_size, found.dt_ns, found.action_space) == ("act", 16, 100_000_000, "joint_position")
    assert [vector.names for vector in found.vectors] == [STATE_NAMES, ENVIRONMENT_NAMES]
    assert found.vectors[0].units == ("rad",) * 6 + ("1",) + ("m",) * 3
    (image,) = found.images
    assert (image.name, image.camera, image.height, image.width) == (CAMERA, "wrist", 24, 32)
    assert found.dataset == "ab12"
    np.testing.assert_allclose(found.action_max, data.vectors[ACTION].max(axis=0))


@pytest.mark.parametrize("space", ["joint_velocity", "joint_delta", "ee_pose"])
def test_names_of_the_actions_tell_their_space(tmp_path: Path, space: Any) -> None:
    data = demonstrations(action_space=None, **renamed(ACTION, action_names(space)))
    assert describe(open_checkpoint(write_checkpoint(tmp_path)), 16, data, None).action_space == space


@pytest.mark.parametrize(
    ("change", "asked", "words"),
    [
        (
            {"action_space": None, **renamed(ACTION, tuple("abcdefg"))},
            None,
            r"\(a, b, c, \.\.\.\): give --action-space",
        ),
        ({"action_space": None, **renamed(ACTION, tuple("abcdefg"))}, "ee_pose", "number 0 of action is a, expected"),
        ({}, "ee_pose", "--action-space ee_pose: --dataset demos says joint_position"),
        (renamed(STATE, STATE_NAMES[::-1]), None, None),
        (renamed(STATE, tuple(f"s{i}" for i in range(10))), None, "reads 's0', which is unknown here"),
        (renamed(STATE, STATE_NAMES[:9]), None, r"observation.state has shape \(9,\), the policy's is \(10,\)"),
        (renamed(ACTION, action_names("joint_position")[::-1]), None, "wrong order or another robot"),
        (
            {"vectors": {STATE: np.zeros((2, 10)), ACTION: np.zeros((2, 7))}},
            None,
            "demos has no observation.environment",
        ),
    ],
)
def test_a_dataset_that_does_not_fit(tmp_path: Path, change: dict[str, Any], asked: Any, words: str | None) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path))
    if words is None:
        assert describe(checkpoint, 16, demonstrations(**change), asked).vectors[0].names == STATE_NAMES[::-1]
        return
    with pytest.raises(BadInput, match=words):
        describe(checkpoint, 16, demonstrations(**change), asked)


@pytest.mark.parametrize(
    ("note", "chunk", "words"),
    [
        (spec(), 8, "act with chunks of 16, the policy is act with chunks of 8"),
        (spec(kind="diffusion"), 16, "diffusion with chunks of 16, the policy is act"),
        (spec(prefix=2), 16, r"environment_state has shape \(22,\), the policy's is \(7,\)"),
    ],
)
def test_a_note_of_another_policy(tmp_path: Path, note: Any, chunk: int, words: str) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / "eyehand_policy.json").write_text(note.to_json())
    with pytest.raises(BadInput, match=words):
        describe(open_checkpoint(tmp_path), chunk, None, None)


def test_without_either_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no eyehand_policy\.json.*name no joint and no unit: give .* --dataset"):
        describe(open_checkpoint(write_checkpoint(tmp_path)), 16, None, None)
