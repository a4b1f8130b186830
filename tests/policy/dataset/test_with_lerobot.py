"""LeRobot reads every frame of what we write, and its numbers are ours: `make test-lerobot`, with both versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("pyarrow.parquet", reason="needs the extra dataset")
datasets = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason="needs LeRobot: make test-lerobot")

from policy.dataset import DatasetWriter  # noqa: E402
from policy.features import ACTION, ENVIRONMENT, STATE, STATE_NAMES, action_names  # noqa: E402
from tests.policy.dataset.made_up import ABOUT, PICTURED, attempt, episode, write  # noqa: E402

pytestmark = pytest.mark.lerobot

EPISODES = [episode(1, 40), episode(2, 25), episode(3, 17)]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets as hugging_face

    monkeypatch.setattr(hugging_face.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def opened(folder: Path, **options: Any) -> Any:
    return datasets.LeRobotDataset("eyehand/made_up", root=folder, **options)


def test_every_frame(tmp_path: Path) -> None:
    write(tmp_path / "d", EPISODES)
    data = opened(tmp_path / "d")
    assert len(data) == data.num_frames == 82
    assert data.num_episodes == 3
    assert data.fps == 10
    at = 0
    for index, made in enumerate(EPISODES):
        for frame in range(len(made)):
            item = data[at]
            for key, values in made.vectors.items():
                assert (item[key].numpy() == values[frame]).all(), (key, at)
            assert (item["index"].item(), item["episode_index"].item(), item["frame_index"].item()) == (
                at,
                index,
                frame,
            )
            assert item["timestamp"].item() == pytest.approx(frame / 10)
            assert item["task"] == PICTURED.task
            at += 1


def test_chunks_of_actions_end_with_their_episode(tmp_path: Path) -> None:
    write(tmp_path / "d", EPISODES)
    data = opened(tmp_path / "d", delta_timestamps={ACTION: [k / 10 for k in range(16)]})
    item = data[20]
    assert (item[ACTION].numpy() == EPISODES[0].action[20:36]).all()
    assert not item["action_is_pad"].any()
    last = data[40 + 25 - 3]
    assert (last[ACTION].numpy()[:3] == EPISODES[1].action[-3:]).all()
    assert last["action_is_pad"].tolist() == [False] * 3 + [True] * 13


def test_names_and_statistics(tmp_path: Path) -> None:
    write(tmp_path / "d", EPISODES)
    meta = opened(tmp_path / "d").meta
    assert tuple(meta.features[STATE]["names"]) == STATE_NAMES
    assert tuple(meta.features[ACTION]["names"]) == action_names("joint_position")
    everything = np.concatenate([made.environment for made in EPISODES]).astype(np.float64)
    assert meta.stats[ENVIRONMENT]["mean"] == pytest.approx(everything.mean(axis=0))
    assert meta.stats[ENVIRONMENT]["std"] == pytest.approx(everything.std(axis=0))


def test_some_episodes(tmp_path: Path) -> None:
    write(tmp_path / "d", EPISODES)
    data = opened(tmp_path / "d", episodes=[1])
    assert len(data) == 25
    assert (data[24][STATE].numpy() == EPISODES[1].state[24]).all()


def test_every_picture(tmp_path: Path) -> None:
    made = episode(5, 12, pictures=True)
    writer = DatasetWriter(tmp_path / "d", PICTURED, ABOUT)
    writer.add(attempt(0), made)
    data = opened(tmp_path / "d")
    key = PICTURED.cameras[0].key
    for frame in range(12):
        rgb = cv2.imdecode(np.frombuffer(made.images[key][frame], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert data[frame][key].numpy() * 255 == pytest.approx(np.moveaxis(rgb, 2, 0), abs=1e-3)
    assert data.meta.stats[key]["mean"].shape == (3, 1, 1)


def test_lerobots_statistics_agree_with_ours(tmp_path: Path) -> None:
    from lerobot.datasets.compute_stats import compute_episode_stats

    write(tmp_path / "d", EPISODES[:1])
    meta = opened(tmp_path / "d").meta
    theirs = compute_episode_stats({ACTION: EPISODES[0].action}, {ACTION: meta.features[ACTION]})[ACTION]
    spread = theirs["max"] - theirs["min"]
    for name, off in (("min", 0.0), ("max", 0.0), ("mean", 1e-6), ("std", 5e-5)):  # theirs are sums of float32
        assert meta.stats[ACTION][name] == pytest.approx(theirs[name], rel=0.0, abs=off), name
    for name in ("q01", "q10", "q50", "q90", "q99"):
        # theirs come out of a histogram
        assert np.abs(meta.stats[ACTION][name] - theirs[name]).max() < 0.05 * spread.max(), name
