"""Training with LeRobot itself: its layout, its loading, the same bytes when a training goes on."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.training import cpu_torchvision

pytest.importorskip("lerobot", reason="needs LeRobot: make test-lerobot")
cpu_torchvision.install()
import torch  # noqa: E402
from lerobot.policies.factory import get_policy_class, make_pre_post_processors  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from launch.cli import main  # noqa: E402
from policy.features import ACTION, ENVIRONMENT, STATE  # noqa: E402
from policy.spec import PolicySpec  # noqa: E402
from policy.training.chunks import clean, with_prefix  # noqa: E402
from policy.training.demonstrations import read_demonstrations  # noqa: E402
from policy.training.judge import by_unit  # noqa: E402
from tests.policy.training.toy_demonstrations import write_toy  # noqa: E402

pytestmark = pytest.mark.lerobot
TINY = ("--threads", "1", "--batch-size", "16", "--dim", "32", "--set", "n_encoder_layers=1")


def train(dataset: Path, out: Path, *more: str) -> Path:
    assert main(["train", "policy", "--dataset", str(dataset), "--out", str(out), "--threads", "1", *more]) == 0
    return out / "checkpoint"


def load(folder: Path) -> tuple[Any, Any, Any]:
    """As LeRobot's users load it."""
    kind = json.loads((folder / "config.json").read_text())["type"]
    policy = get_policy_class(kind).from_pretrained(folder)
    return (policy, *make_pre_post_processors(policy.config, pretrained_path=str(folder)))


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_bytes().hex() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy") / "set", episodes=8, frames=30)


@pytest.fixture(scope="module")
def trained(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("act") / "out"
    train(toy, out, *TINY, "--steps", "60", "--save-every", "30", "--warmup", "5")
    return out


def test_going_on_gives_the_same_bytes(toy: Path, trained: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(trained, tmp_path / "again", symlinks=True))
    shutil.rmtree(again / "checkpoints" / "000060")
    (again / "checkpoints" / ".000060").mkdir()  # a checkpoint that a kill cut short
    train(toy, again, *TINY, "--steps", "60", "--save-every", "30", "--warmup", "5", "--resume")
    assert files(again / "checkpoint") == files(trained / "checkpoint")
    assert files(again / "checkpoints" / "000060") == files(trained / "checkpoints" / "000060")
    assert (again / "metrics.jsonl").read_bytes() == (trained / "metrics.jsonl").read_bytes()


def test_it_learns_and_lerobot_predicts_with_it(toy: Path, tmp_path: Path) -> None:
    model = train(toy, tmp_path / "out", *TINY, "--steps", "250", "--held-out", "0.2", "--set", "use_vae=false")
    data = read_demonstrations(toy)
    batch = with_prefix(clean(data, np.arange(100), 16), np.zeros(100, dtype=int), 8)
    policy, before, after = load(model)
    inputs = {name: torch.as_tensor(batch[name]) for name in (STATE, ENVIRONMENT)}
    chunk = after(policy.predict_action_chunk(before(inputs))).numpy()
    error = by_unit(np.abs(chunk - batch[ACTION]), batch["action_is_pad"], data.units(ACTION))
    still = np.abs(data.vectors[ACTION] - data.vectors[ACTION].mean(axis=0))[:, :6].mean()
    assert error["rad"] < 0.5 * still
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["train"]["l1_loss"] for line in lines if "train" in line]
    assert losses[-1] < 0.7 * losses[0]
    if importlib.util.find_spec("matplotlib") is not None:
        assert (tmp_path / "out" / "curves.png").stat().st_size > 1000
    assert PolicySpec.from_json((model / "eyehand_policy.json").read_text(), "it").dataset == "toy"


def test_the_layout_is_that_of_lerobots_own_script(toy: Path, trained: Path, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("lerobot-train")), "--policy.type=act", "--policy.push_to_hub=false",
        "--dataset.repo_id=toy", f"--dataset.root={toy}", f"--output_dir={tmp_path / 'theirs'}", "--steps=1",
        "--batch_size=2", "--num_workers=0", "--policy.device=cpu", "--policy.dim_model=32", "--policy.n_heads=2",
        "--policy.dim_feedforward=32", "--wandb.enable=false", "--save_freq=1", "--policy.chunk_size=16",
        "--policy.n_action_steps=16",
    ]  # fmt: skip
    code = "from deploy.training import cpu_torchvision as c; c.install(); import sys; sys.argv = sys.argv[1:]; "
    code += "from lerobot.scripts.lerobot_train import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *command], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = tmp_path / "theirs" / "checkpoints" / "last" / "pretrained_model"
    ours = trained / "checkpoint"
    names = {path.name for path in theirs.iterdir()} - {"train_config.json", "README.md"}
    assert {path.name for path in ours.iterdir()} == names | {"eyehand_policy.json"}
    state = {path.name for path in (trained / "checkpoints" / "last" / "training_state").iterdir()}
    assert state <= {path.name for path in (theirs.parent / "training_state").iterdir()}
    config, their_config = (json.loads((folder / "config.json").read_text()) for folder in (ours, theirs))
    assert config.keys() == their_config.keys()
    for name in ("policy_preprocessor.json", "policy_postprocessor.json"):
        steps = [
            [step["registry_name"] for step in json.loads((folder / name).read_text())["steps"]]
            for folder in (ours, theirs)
        ]
        assert steps[0] == steps[1]
    statistics = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
    found, expected = load_file(ours / statistics), load_file(theirs / statistics)
    np.testing.assert_allclose(found["action.mean"], expected["action.mean"], rtol=1e-4, atol=1e-6)


def test_diffusion_with_a_prefix(toy: Path, tmp_path: Path) -> None:
    small = ("--dim", "8", "--batch-size", "4", "--steps", "2", "--set", "diffusion_step_embed_dim=8")
    model = train(toy, tmp_path / "out", "--policy", "diffusion", *small)
    policy, before, after = load(model)
    assert (policy.config.n_obs_steps, policy.config.horizon, policy.config.num_inference_steps) == (1, 16, 10)
    size = policy.config.input_features[ENVIRONMENT].shape[0]
    inputs = before({STATE: torch.zeros(1, 10), ENVIRONMENT: torch.zeros(1, size)})
    actions = [after(policy.select_action(inputs)) for _ in range(16)]
    assert torch.isfinite(torch.stack(actions)).all()


def write_pictures(folder: Path) -> Path:
    """By LeRobot's own writer: two episodes with a picture of 32x32."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    toy = read_demonstrations(write_toy(folder.parent / "toy", episodes=2, frames=6))
    features = {
        name: {"dtype": "float32", "shape": (rows.shape[1],), "names": list(toy.names[name])}
        for name, rows in toy.vectors.items()
    }
    features["observation.images.wrist"] = {
        "dtype": "image",
        "shape": (32, 48, 3),
        "names": ["height", "width", "channels"],
    }
    made = LeRobotDataset.create("toy", fps=10, root=folder, robot_type="toy", features=features, use_videos=False)
    for frame in range(12):
        picture = np.full((32, 48, 3), 20 * frame, dtype=np.uint8)
        vectors = {name: rows[frame] for name, rows in toy.vectors.items()}
        made.add_frame({**vectors, "observation.images.wrist": picture, "task": "reach"})
        if frame % 6 == 5:
            made.save_episode()
    made.finalize()
    return folder


@pytest.mark.parametrize("kind", ["act", "diffusion"])
def test_pictures(kind: str, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures")
    small = ("--dim", "8", "--batch-size", "2", "--steps", "2", "--action-space", "joint_position", "--chunk-size", "8")
    model = train(folder, tmp_path / "out", "--policy", kind, *small, "--workers", "1")
    spec = PolicySpec.from_json((model / "eyehand_policy.json").read_text(), "it")
    assert [(image.camera, image.height, image.width) for image in spec.images] == [("wrist", 32, 48)]
    policy, before, after = load(model)
    size = policy.config.input_features[ENVIRONMENT].shape[0]
    seen = {
        STATE: torch.zeros(1, 10),
        ENVIRONMENT: torch.zeros(1, size),
        "observation.images.wrist": torch.zeros(1, 3, 32, 48),
    }
    assert torch.isfinite(after(policy.select_action(before(seen)))).all()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--set", "foo=3"), 2, "--set foo: LeRobot's policy has no such field"),
        (("--set", "dropout=x"), 2, "--set dropout=x: expected a value such as 0.1"),
        (("--set", "n_encoder_layers=2.5"), 2, "expected a value such as 4"),
        (("--set", "use_vae=1"), 2, "expected a value such as True"),
        (("--set", "chunk_size=4"), 2, "--set chunk_size: follows from"),
        (("--set", "vision_backbone=vgg"), 2, "LeRobot refuses this act"),
        (("--dim", "12"), 2, "--dim 12: not a multiple of 8"),
        (("--policy", "diffusion", "--chunk-size", "12"), 2, "LeRobot refuses this diffusion"),
        (("--device", "toaster"), 2, "--device toaster: "),
        (("--device", "cuda:99"), 3, "--device cuda:99: "),
    ],
)
def test_refusals(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    out = tmp_path / "new"
    assert main(["train", "policy", "--dataset", str(toy), "--out", str(out), "--threads", "1", *arguments]) == code
    assert message in capsys.readouterr().err
    assert not out.exists()
