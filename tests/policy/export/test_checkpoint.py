"""What a checkpoint's folder may hold; nothing of it is loaded before that is known."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import BadInput
from policy.export.checkpoint import open_checkpoint
from policy.features import ENVIRONMENT, STATE
from tests.policy.export.checkpoints import write_checkpoint


@pytest.mark.parametrize(
    "below", ["", "checkpoint", "pretrained_model", "last/pretrained_model", "checkpoints/last/pretrained_model"]
)
def test_it_is_found_where_trainings_put_it(tmp_path: Path, below: str) -> None:
    folder = write_checkpoint(tmp_path / below)
    found = open_checkpoint(tmp_path)
    assert (found.folder, found.kind) == (folder, "act")
    assert found.inputs == {STATE: (10,), ENVIRONMENT: (7,)}
    assert [name for name, _ in found.after] == ["unnormalizer_processor", "device_processor"]
    assert found.description is None
    (folder / "eyehand_policy.json").write_text("{}")
    assert open_checkpoint(tmp_path).description == folder / "eyehand_policy.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "pi0"}, "policy 'pi0', expected act or diffusion"),
        ({"type": "diffusion", "n_obs_steps": 2}, "n_obs_steps is 2, expected 1.*--policy.n_obs_steps=1"),
        ({"input_features": {}}, "has no input_features"),
        ({"input_features": {STATE: 10}}, "has no input_features"),
        ({"output_features": None}, "has no output_features"),
        ({"output_features": {"force": {"shape": [3]}}}, "outputs force, expected action alone"),
        ({"use_peft": True}, "holds an adapter"),
    ],
)
def test_a_policy_that_cannot_be_exported(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        open_checkpoint(write_checkpoint(tmp_path, **change))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "policy.pkl", "last.ckpt"])
def test_weights_in_a_pickle_are_refused_and_never_opened(tmp_path: Path, name: str) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return Path.touch, (tmp_path / "ran",)

    folder = write_checkpoint(tmp_path / "policy")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Runs()))
    words = (
        f"weights are in {name}, a pickle, which can run code when it is loaded; save it with policy.save_pretrained"
    )
    with pytest.raises(BadInput, match=words):
        open_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(BadInput, match=f"weights are in {name}, a pickle"):
        open_checkpoint(folder)
    with pytest.raises(BadInput, match="is a file: it is a pickle"):
        open_checkpoint(folder / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "step", "words"),
    [
        ("policy_preprocessor", {"class": "os.system"}, "step 'os.system' cannot be part of the exported file"),
        ("policy_preprocessor", {"registry_name": "tokenizer_processor"}, "step 'tokenizer_processor' cannot be part"),
        ("policy_postprocessor", {"registry_name": "normalizer_processor"}, "expected unnormalizer_processor, device"),
        ("policy_preprocessor", [{"registry_name": "normalizer_processor"}] * 2, "has a step twice"),
        ("policy_postprocessor", "unnormalizer_processor", "cannot be part of the exported file"),
    ],
)
def test_steps_that_are_no_normalisation(tmp_path: Path, file: str, step: Any, words: str) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / f"{file}.json").write_text(json.dumps({"steps": step if isinstance(step, list) else [step]}))
    with pytest.raises(BadInput, match=words):
        open_checkpoint(tmp_path)


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no config\.json; expected LeRobot's pretrained_model folder"):
        open_checkpoint(tmp_path)
    with pytest.raises(BadInput, match="nowhere does not exist"):
        open_checkpoint(tmp_path / "nowhere")
    write_checkpoint(tmp_path)
    with pytest.raises(BadInput, match=r"config\.json is a file; expected a folder"):
        open_checkpoint(tmp_path / "config.json")
    (tmp_path / "policy_postprocessor.json").unlink()
    with pytest.raises(BadInput, match=r"has no policy_postprocessor\.json, which holds the normalisation"):
        open_checkpoint(tmp_path)
    (tmp_path / "policy_postprocessor.json").write_text('{"steps": 3}')
    with pytest.raises(BadInput, match="has no steps"):
        open_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"has no model\.safetensors$"):
        open_checkpoint(tmp_path)
    for text in ("{", "[1]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(BadInput, match=r"config\.json (cannot be read|holds no JSON object)"):
            open_checkpoint(tmp_path)
