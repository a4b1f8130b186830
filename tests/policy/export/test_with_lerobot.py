"""Exports of LeRobot's own policies: what the run time plans with them is what LeRobot plans."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.training import cpu_torchvision

pytest.importorskip("lerobot", reason="needs LeRobot: make test-lerobot")
pytest.importorskip("onnx", reason="needs onnx: make test-lerobot")
cpu_torchvision.install()
import onnx  # noqa: E402

from deploy.model_store import ModelStore  # noqa: E402
from deploy.onnxruntime_backend import OnnxRuntimeBackend  # noqa: E402
from launch.cli import main  # noqa: E402
from policy.export import flow, int8  # noqa: E402
from policy.export.checkpoint import open_checkpoint  # noqa: E402
from policy.export.reference import load  # noqa: E402
from policy.features import ACTION, ENVIRONMENT, STATE  # noqa: E402
from policy.learned import LearnedPolicy  # noqa: E402
from tests.policy.export.with_lerobot import CAMERA, save_policy, write_pictures  # noqa: E402
from tests.policy.test_observation import observation  # noqa: E402
from tests.policy.training.toy_demonstrations import write_toy  # noqa: E402

pytestmark = pytest.mark.lerobot


def export(folder: Path, out: Path, *more: str) -> dict[str, Any]:
    assert main(["export", "policy", str(folder), "--out", str(out), *more]) == 0
    content: dict[str, Any] = json.loads((out / "passport.json").read_text())
    return content


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    capsys.readouterr()
    assert main(["export", "policy", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err.strip().splitlines()[-1]


def test_a_state_act_with_a_prefix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = save_policy(tmp_path / "c", prefix=4)
    capsys.readouterr()
    out = tmp_path / "store" / "arm"
    assert main(["export", "policy", str(checkpoint), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert 0.0 < told["parity"]["max_abs_error"] < 1e-5
    assert told["parity"]["inputs"] == 64
    assert told["inputs"] == {STATE: "1x10", ENVIRONMENT: "1x36"}
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "model.onnx", "passport.json"]
    assert [path.name for path in out.parent.iterdir()] == ["arm"], "no draft is left"
    assert ModelStore([out.parent]).find("arm").passport is not None

    # What the run time plans from an observation is LeRobot's own answer to it.
    backend = OnnxRuntimeBackend(out / "model.onnx")
    seen = observation(prefix=np.full((2, 7), 0.3))
    chunk = LearnedPolicy(backend, "arm").plan(seen)
    shown = np.zeros((1, 36), np.float32)
    shown[0, :8] = [0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0, 2.0]
    shown[0, 8:22] = 0.3
    given = {STATE: np.array([[0, 1, 2, 3, 4, 5, 0.5, 0, 0, 0]], np.float32), ENVIRONMENT: shown}
    expected = load(open_checkpoint(checkpoint)).predict(given)
    np.testing.assert_allclose(chunk.actions[2:, :6], expected[0, 2:, :6], atol=1e-5)

    again = export(checkpoint, tmp_path / "again" / "arm")
    assert again["sha256"] == told["sha256"], "the same file from the same weights"


def test_an_act_that_sees(tmp_path: Path) -> None:
    passport = export(save_policy(tmp_path / "c", image=True), tmp_path / "m")
    assert passport["inputs"][CAMERA] == "1x3x32x48"
    assert 0.0 < passport["parity"]["max_abs_error"] < 1e-4
    model = onnx.load(tmp_path / "m" / "model.onnx")
    names = {node.op_type for node in model.graph.node if "backbone" in node.name}
    assert "Mul" not in names, "its normalisations are part of the convolutions"


@pytest.mark.parametrize("gain", [-100.0, 1.0])
def test_a_backbone_in_8_bits_is_kept_where_it_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gain: float
) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow: make test-lerobot")
    monkeypatch.setattr(int8, "LEAST_GAIN", gain)  # any time will do, or none
    monkeypatch.setattr(int8, "MOST_ERROR", 0.05)  # random weights
    data = write_toy(tmp_path / "toy", episodes=4)
    write_pictures(data)
    out = tmp_path / "store" / "arm"
    export(save_policy(tmp_path / "c", image=True), out, "--dataset", str(data), "--int8")
    told = capsys.readouterr().err
    assert "INT8 backbone" in told
    assert ("not shipped" in told) == (gain > 0)
    model = ModelStore([out.parent]).find("arm")
    assert set(model.artifacts) == ({"model.int8-u8.onnx"} if gain < 0 else set())
    if gain > 0:
        return
    path, passport = model.artifact("model.int8-u8.onnx")
    assert passport is not None
    assert passport.calibration is not None
    assert set(passport.calibration.tried) == {"minmax", "percentile", "entropy"}
    quantized = onnx.load(path)
    by_name = {node.name: node for node in quantized.graph.node}
    assert sum(node.op_type == "QuantizeLinear" for node in quantized.graph.node) > 20
    assert all(by_name[name].op_type != "QuantizeLinear" for name in passport.float_nodes if name in by_name)
    backend = OnnxRuntimeBackend(path)
    passport.check_metadata(backend.metadata)
    assert path.stat().st_size < 0.4 * model.onnx_path.stat().st_size
    assert LearnedPolicy(backend, "arm").cameras == ("wrist",)


def test_8_bits_need_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = refusal(capsys, str(save_policy(tmp_path / "c")), "--int8", "--out", str(tmp_path / "m"))
    assert "it is for an ACT that sees pictures" in message
    message = refusal(capsys, str(save_policy(tmp_path / "d", image=True)), "--int8", "--out", str(tmp_path / "m"))
    assert "calibrated on demonstrations: give a --dataset that holds pictures" in message


def test_a_diffusion_policy_with_its_sampler(tmp_path: Path) -> None:
    pytest.importorskip("diffusers", reason="needs diffusers: pip install 'lerobot[diffusion]'")
    passport = export(save_policy(tmp_path / "c", "diffusion"), tmp_path / "m")
    assert passport["inputs"]["noise"] == "1x16x7"
    assert 0.0 < passport["parity"]["max_abs_error"] < 1e-4
    backend = OnnxRuntimeBackend(tmp_path / "m" / "model.onnx")
    chunks = [LearnedPolicy(backend, "m", seed).plan(observation()).actions for seed in (0, 0, 1)]
    np.testing.assert_array_equal(chunks[0], chunks[1])
    assert np.abs(chunks[0] - chunks[2]).max() > 1e-3


def test_noise_in_each_step_is_no_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("diffusers", reason="needs diffusers: pip install 'lerobot[diffusion]'")
    folder = save_policy(tmp_path / "c", "diffusion", noise_scheduler_type="DDPM", num_inference_steps=None)
    message = refusal(capsys, str(folder), "--out", str(tmp_path / "m"))
    assert "samples with DDPM, which draws noise in each of its 100 steps: give --denoising-steps 10" in message
    few = export(folder, tmp_path / "few", "--denoising-steps", "2")
    assert few["parity"]["max_abs_error"] < 1e-4
    assert "expected 1..100" in refusal(capsys, str(folder), "--out", str(tmp_path / "m"), "--denoising-steps", "101")
    act = save_policy(tmp_path / "a")
    message = refusal(capsys, str(act), "--out", str(tmp_path / "m"), "--denoising-steps", "10")
    assert "is a policy of kind act" in message


def test_weights_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_policy(tmp_path / "c")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dim_model": 64}))
    assert "cannot load" in refusal(capsys, str(folder), "--out", str(tmp_path / "m"))
    (folder / "config.json").write_text(json.dumps({**config, "no_such_field": 1}))
    assert "cannot load" in refusal(capsys, str(folder), "--out", str(tmp_path / "m"))


def test_a_file_that_computes_something_else_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(*arguments: Any) -> None:
        untouched(*arguments)
        model = onnx.load(arguments[2])
        (bias,) = [entry for entry in model.graph.initializer if entry.name.endswith("action_head.bias")]
        bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(1e-3), bias.name))
        onnx.save(model, arguments[2])

    untouched = flow.export_graph
    monkeypatch.setattr(flow, "export_graph", spoil)
    message = refusal(capsys, str(save_policy(tmp_path / "c")), "--out", str(tmp_path / "m"), code=1)
    assert "does not compute what LeRobot does" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


def test_a_checkpoint_that_lerobots_own_training_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow: make test-lerobot")
    pytest.importorskip("accelerate", reason="LeRobot trains with accelerate: pip install 'lerobot[training]'")
    data, out = write_toy(tmp_path / "toy", episodes=3, frames=20), tmp_path / "train"
    code = (
        "from deploy.training import cpu_torchvision; cpu_torchvision.install(); "
        "from lerobot.scripts.lerobot_train import main; main()"
    )
    settings = {
        "dataset.repo_id": "toy", "dataset.root": data, "policy.type": "act", "policy.device": "cpu",
        "policy.push_to_hub": "false", "policy.chunk_size": 16, "policy.n_action_steps": 16, "policy.dim_model": 32,
        "policy.n_heads": 4, "policy.dim_feedforward": 64, "policy.n_encoder_layers": 1, "steps": 2, "save_freq": 2,
        "batch_size": 2, "num_workers": 0, "wandb.enable": "false", "output_dir": out,
    }  # fmt: skip
    command = [sys.executable, "-c", code, *(f"--{key}={value}" for key, value in settings.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=Path.cwd(), check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "with --dataset" in refusal(capsys, str(out), "--out", str(tmp_path / "m"))
    passport = export(out, tmp_path / "m", "--dataset", str(data))
    assert passport["parity"]["max_abs_error"] < 1e-5
    assert passport["parity"]["of"] == "frames of toy"
    assert passport["policy"]["action_space"] == "joint_position"
    assert passport["policy"]["action_names"][0] == "shoulder_pan_joint.pos"
    assert passport["policy"]["dataset"] == "toy"
    assert (tmp_path / "m" / "model.onnx").is_file()
    assert ACTION in passport["outputs"]
