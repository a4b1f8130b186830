"""PolicyPassport: it lives beside those of detectors, and neither is taken for the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.errors import BadInput
from deploy.model_store import ModelStore
from deploy.passport import Passport, file_sha256, passport_path
from deploy.policy_passport import PolicyPassport, as_detector, as_policy, read_passport

POLICY = {"kind": "act", "chunk_size": 16, "action_names": ["a", "b"]}


def policy_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(b"onnx")
    PolicyPassport(
        name=folder.name, sha256=file_sha256(file), size_bytes=4, inputs={"observation.state": "1x10"},
        outputs={"action": "1x16x7"}, policy=POLICY, parity={"max_abs_error": 1e-7},
    ).write(passport_path(file))  # fmt: skip
    return file


def detector_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    file = folder / "model.onnx"
    file.write_bytes(b"onnx")
    Passport(
        name=folder.name, sha256=file_sha256(file), size_bytes=4, classes=("red_cube",), input="1x3x256x320",
        letterbox="center-114", color_order="RGB", scale="1/255", layout="yolo-raw-cxcywh",
    ).write(passport_path(file))  # fmt: skip
    return file


def test_the_store_reads_both_kinds(tmp_path: Path) -> None:
    policy_in(tmp_path / "arm")
    detector_in(tmp_path / "eye")
    store = ModelStore([tmp_path])
    policy, detector = store.find("arm").passport, store.find("eye").passport
    assert isinstance(policy, PolicyPassport)
    assert isinstance(detector, Passport)
    assert (policy.kind, policy.inputs, policy.license) == ("policy", {"observation.state": "1x10"}, "Apache-2.0")
    assert as_policy(policy, "arm") is policy
    assert as_detector(detector, "eye") is detector
    assert as_policy(None, "x") is None
    assert as_detector(None, "x") is None
    with pytest.raises(BadInput, match="model arm is a policy, and a detector is needed here"):
        as_detector(policy, "arm")
    with pytest.raises(BadInput, match="model eye is a detector, and a policy is needed here"):
        as_policy(detector, "eye")


def test_one_kind_is_not_read_as_the_other(tmp_path: Path) -> None:
    policy, detector = passport_path(policy_in(tmp_path / "arm")), passport_path(detector_in(tmp_path / "eye"))
    with pytest.raises(BadInput, match="is that of a policy, not of a detector"):
        Passport.read(policy)
    with pytest.raises(BadInput, match="is that of a detector, not of a policy"):
        PolicyPassport.read(detector)
    assert read_passport(policy) == PolicyPassport.read(policy)


def test_what_was_edited_is_refused(tmp_path: Path) -> None:
    path = passport_path(policy_in(tmp_path / "arm"))
    content = json.loads(path.read_text())
    assert list(content)[-1] == "seal"
    content["policy"]["chunk_size"] = 8
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match="was edited since it was written"):
        ModelStore([tmp_path]).find("arm")


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({**POLICY, "chunk_size": 8}, "says chunk_size 16 and the model itself says 8"),
        ({**POLICY, "prefix": 4}, "says prefix None and the model itself says 4"),
        ([1], "says kind 'act' and the model itself says None"),
        (None, "says kind 'act' and the model itself says None"),
    ],
)
def test_a_model_that_describes_itself_otherwise_is_refused(tmp_path: Path, metadata: object, words: str) -> None:
    passport = PolicyPassport.read(passport_path(policy_in(tmp_path / "arm")))
    passport.check_metadata({"eyehand.policy": json.dumps(POLICY)})
    said = {} if metadata is None else {"eyehand.policy": json.dumps(metadata)}
    with pytest.raises(BadInput, match=words):
        passport.check_metadata(said)
