"""LeRobot's own `lerobot-record` drives the simulated arm, and the data set that it leaves loads."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lerobot", reason="needs LeRobot: make test-lerobot")
from deploy.training import cpu_torchvision

STAND_IN = cpu_torchvision.install()
from deploy.errors import BadInput  # noqa: E402
from launch.lerobot_plugin.config_eyehand import EyehandRobotConfig  # noqa: E402
from launch.lerobot_plugin.eyehand import EyehandRobot  # noqa: E402
from robot.kinematics import UR10E_HOME_RAD, UR10E_LIMITS  # noqa: E402

pytestmark = pytest.mark.lerobot
ROOT = Path(__file__).resolve().parents[3]
FPS, SECONDS = 10, 5
KEYS = [
    "shoulder_pan_joint.pos", "shoulder_lift_joint.pos", "elbow_joint.pos",
    "wrist_1_joint.pos", "wrist_2_joint.pos", "wrist_3_joint.pos", "gripper.pos",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def robot(home: Path) -> EyehandRobot:
    return EyehandRobot(EyehandRobotConfig(calibration_dir=home / "calibration"))


def test_features_are_known_before_it_is_connected(robot: EyehandRobot) -> None:
    assert list(robot.action_features) == KEYS
    assert robot.observation_features == dict.fromkeys(KEYS, float) | {"wrist": (480, 640, 3)}
    assert not robot.is_connected
    with pytest.raises(ConnectionError):
        robot.get_observation()


def test_a_rig_without_an_arm_is_refused(home: Path) -> None:
    with pytest.raises(BadInput, match="has no arm"):
        EyehandRobot(EyehandRobotConfig(config="perception", calibration_dir=home))


def test_observations_and_actions(robot: EyehandRobot) -> None:
    with robot:
        assert robot.is_connected
        with pytest.raises(ConnectionError):
            robot.connect()
        seen = robot.get_observation()
        assert seen.keys() == robot.observation_features.keys()
        assert [seen[key] for key in KEYS[:6]] == pytest.approx(UR10E_HOME_RAD, abs=0.02)
        assert seen["wrist"].shape == (480, 640, 3)
        assert seen["wrist"].dtype == np.uint8
        red, blue = seen["wrist"][..., 0].astype(int), seen["wrist"][..., 2].astype(int)
        assert (red - blue).max() > 60  # the cube is red, and the channels are in LeRobot's order
        assert (red - blue).max() > (blue - red).max()
        action = {key: seen[key] for key in KEYS} | {"wrist_3_joint.pos": 99.0, "gripper.pos": 2.0}
        sent = robot.send_action(action)
        assert sent["wrist_3_joint.pos"] == UR10E_LIMITS.upper_rad[5]
        assert sent["gripper.pos"] == 1.0
        with pytest.raises(BadInput, match=r"elbow_joint\.pos"):
            robot.send_action({key: 0.0 for key in KEYS if key != "elbow_joint.pos"})
    assert not robot.is_connected


def _data_set(root: Path) -> Any:
    try:
        module = importlib.import_module("lerobot.datasets.lerobot_dataset")
    except ImportError:
        module = importlib.import_module("lerobot.datasets")
    # torchcodec needs the system's FFmpeg, PyAV brings its own
    return module.LeRobotDataset("eyehand/sweep", root=root, video_backend="pyav")


def test_lerobot_record_drives_it_and_the_data_set_loads(home: Path) -> None:
    root = home / "sweep"
    command = [
        sys.executable, str(Path(__file__).with_name("sweep_teleoperator.py")),
        "--robot.type=eyehand", "--robot.discover_packages_path=lerobot_robot_eyehand",
        "--robot.config=sim_pick_place", "--teleop.type=eyehand_sweep",
        "--dataset.repo_id=eyehand/sweep", f"--dataset.root={root}", "--dataset.single_task=sweep",
        f"--dataset.fps={FPS}", f"--dataset.episode_time_s={SECONDS}", "--dataset.num_episodes=1",
        "--dataset.push_to_hub=false", "--play_sounds=false",
    ]  # fmt: skip
    environment = os.environ | {
        "HOME": str(home), "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": f"{ROOT / 'launch' / 'lerobot_plugin' / 'package'}{os.pathsep}{ROOT}",
    }  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]

    data = _data_set(root)
    assert data.meta.robot_type == "eyehand"
    assert data.num_episodes == 1
    assert SECONDS * FPS * 0.3 < len(data) <= SECONDS * FPS + 1
    states = np.array(data.hf_dataset.with_format("numpy")["observation.state"][:])
    actions = np.array(data.hf_dataset.with_format("numpy")["action"][:])
    assert np.ptp(actions[:, 0]) > 0.4
    assert np.ptp(states[:, 0]) > 0.35  # the arm did swing,
    assert np.ptp(states[:, 1:6], axis=0).max() < 0.05  # and nothing else did
    assert np.ptp(states[:, 6]) > 0.6  # the gripper went
    if STAND_IN:
        pytest.skip("the arm moved as it should; this torchvision cannot decode the pictures")
    first, later = (data[k]["observation.images.wrist"].numpy() for k in (0, len(data) // 4))
    assert first.shape == (3, 480, 640)
    assert np.abs(first - later).mean() > 0.005  # the camera moved with it
