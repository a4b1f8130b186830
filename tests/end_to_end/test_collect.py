"""Demonstrations through the whole pipeline, and out of a recorded run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow.parquet", reason="needs the extra dataset")
pytest.importorskip("mujoco", reason="needs the extra sim")

from launch.bag import BagReader
from launch.codec import decode_chunk, decode_tracks, encode_chunk
from launch.collect import taught_by_the_expert
from launch.collecting.cell import CollectingCell, Plan
from launch.config import load_config
from launch.wiring import resolve
from policy.dataset import read_dataset
from policy.demonstrator import Demonstration, Noise
from policy.expert import DT_NS
from policy.features import ACTION, ENVIRONMENT, STATE
from robot.sim.layout import KINEMATICS
from tests.end_to_end.conftest import Eyehand

Recorded = tuple[Path, dict[str, Any]]

JOINTS = ("--action-space", "joint_position")
COLLECT = ("collect", "--episodes", 1, "--seed", 3, "--misses", 0, *JOINTS)


@pytest.fixture(scope="module")
def collected(eyehand: Eyehand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets") / "d"
    done = eyehand(*COLLECT, "--out", folder, "--json")
    assert done.code == 0, done.err
    assert (done.json["episodes"], done.json["failed"], done.json["interrupted"]) == (1, 0, False)
    assert done.json["fingerprint"] == read_dataset(folder).fingerprint
    return folder


def test_an_episode_is_the_task_from_start_to_end(collected: Path) -> None:
    data = read_dataset(collected)
    state, action = data.vectors[STATE], data.vectors[ACTION]
    assert 70 <= len(data) <= 160
    gripper = action[:, 6]
    assert gripper[0] == gripper[-1] == 1.0
    assert (np.diff(gripper) != 0.0).sum() == 2  # it closes once, it opens once
    closes = int(np.flatnonzero(gripper == 0.0)[0])
    seen = data.vectors[ENVIRONMENT][closes]
    assert seen[6] == 1.0
    assert np.linalg.norm(state[closes, 7:] - seen[:3]) < 0.01
    assert abs(state[-1, 8] + 0.45) < 0.1  # over the bin


def test_what_is_kept_is_the_path_and_what_was_seen_is_beside_it(collected: Path) -> None:
    data = read_dataset(collected)
    wanted = np.array([KINEMATICS.tcp(row[:6].astype(float)).translation for row in data.vectors[ACTION]])
    # the path is smooth, the arm's own way is not on it
    assert np.linalg.norm(np.diff(wanted, axis=0), axis=1).max() < 0.04
    turns = np.linalg.norm(np.diff(wanted, 2, axis=0), axis=1)
    assert turns.max() < 0.03
    sideways = np.linalg.norm(data.vectors[STATE][:, 7:] - wanted, axis=1)
    assert sideways.max() > 0.01


def test_what_is_known_of_it(collected: Path) -> None:
    about = read_dataset(collected).about
    assert about["action_space"] == "joint_position"
    assert about["dt_ns"] == DT_NS
    assert about["object_class"] == "red_cube"
    assert about["noise"] == {"offset_m": 0.04, "turn_rad": 0.06, "misses": 0.0}
    assert len(about["commands"]) == 1
    assert "name: sim_pick_place" in about["configuration"]
    attempt = about["attempts"][0]
    assert attempt["success"] is True
    assert attempt["episode_index"] == 0


def test_going_on_with_what_is_complete_runs_nothing(collected: Path, eyehand: Eyehand) -> None:
    before = json.loads((collected / "meta/eyehand.json").read_text())
    again = (*COLLECT, "--out", collected, "--json")
    done = eyehand(*again, "--resume")
    assert done.code == 0, done.err
    assert done.json["fingerprint"] == before["fingerprint"]
    assert eyehand(*again).code == 2
    assert "another seed" in eyehand("collect", "--seed", 4, *JOINTS, "--out", collected, "--resume").err


def seconds(order: tuple[int, ...], noise: Noise, space: str = "joint_position") -> dict[int, list[Demonstration]]:
    """The first two seconds of episodes that are run one after the other in one cell."""
    config = taught_by_the_expert(load_config("sim_pick_place", ["detector.threads=1", "task.timeout_s=1.5"]))
    cell = CollectingCell(Plan(resolve(config), space, noise))  # type: ignore[arg-type]
    try:
        frames = {}
        for number in order:
            attempt = cell.run(number, lambda: False)
            assert not attempt.success
            assert attempt.episode is None
            assert attempt.reason == "the cube is not in the bin"
            frames[number] = cell._demonstrator.frames
        return frames
    finally:
        cell.close()


def test_an_episode_does_not_know_what_ran_before_it() -> None:
    one, two = seconds((0, 1), Noise(misses=0.0)), seconds((1, 0), Noise(misses=0.0))
    for number in (0, 1):
        assert len(one[number]) == len(two[number]) >= 14
        for mine, theirs in zip(one[number], two[number], strict=True):
            assert (mine.action == theirs.action).all()
            assert (mine.observation.joint_positions_rad == theirs.observation.joint_positions_rad).all()
            assert np.array_equal(
                mine.observation.object_position_m, theirs.observation.object_position_m, equal_nan=True
            )


def test_a_recorded_run_is_demonstrations(recorded: Recorded, eyehand: Eyehand, tmp_path: Path) -> None:
    folder, _ = recorded
    done = eyehand("collect", "--from-bag", folder, *JOINTS, "--out", tmp_path / "d", "--json")
    assert done.code == 0, done.err
    assert (done.json["attempts"], done.json["episodes"]) == (1, 1)
    data = read_dataset(tmp_path / "d")
    with BagReader(folder) as reader:
        chunks = [decode_chunk(record.value) for record in reader.records((), ("chunks",))]  # type: ignore[arg-type]
        tracks = [record.value for record in reader.records((), ("tracks",))]
    assert encode_chunk(chunks[3]) == _payload(folder, "chunks", 3)
    assert len(tracks) - 3 <= len(data) <= len(tracks)
    # what is wanted is what a chunk said, the newest one that was there: the expert's go on from one another
    stamps = [decode_tracks(payload, ("red_cube",)).stamp_ns for payload in tracks][-len(data) :]  # type: ignore[arg-type]
    middle = len(data) // 2
    newest = [chunk for chunk in chunks if chunk.stamp_ns < stamps[middle] - 50_000_000][-1]
    wanted = KINEMATICS.tcp(data.vectors[ACTION][middle, :6].astype(float))
    assert wanted.translation == pytest.approx(newest.sample(stamps[middle])[:3], abs=1e-5)


def test_a_run_that_was_killed_has_no_end(recorded: Recorded, eyehand: Eyehand, tmp_path: Path) -> None:
    killed = shutil.copytree(recorded[0], tmp_path / "killed", ignore=shutil.ignore_patterns("summary.json"))
    done = eyehand("collect", "--from-bag", killed, "--out", tmp_path / "d", "--json")
    assert done.code == 1, done.err
    assert (done.json["attempts"], done.json["episodes"]) == (1, 0)
    assert "the run was broken off in it" in done.err


def test_pictures_of_a_recorded_run(recorded: Recorded, eyehand: Eyehand, tmp_path: Path) -> None:
    done = eyehand("collect", "--from-bag", recorded[0], "--images", "--out", tmp_path / "d", "--json")
    assert done.code == 0, done.err
    info = read_dataset(tmp_path / "d").info
    assert info["features"]["observation.images.wrist"]["shape"] == [480, 640, 3]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from-bag", "{run}", "--seed", 1), "leave out --seed"),
        (("--from-bag", "{run}", "--set", "seed=1"), "leave out --set"),
        (("--from-bag", "nowhere"), "nowhere"),
        (("--set", "rig.cameras.0.rate_hz=20"), "20 frames/s, demonstrations have one per action, 10/s"),
        (("--set", "task=null"), "no task"),
        (("--set", "rig=sim_ur10e_two_cameras"), "use a rig with one camera"),
        (
            ("--set", "policy.type=learned", "--set", "policy.options.seed=1"),
            "policy.options: seed of policy.type learned",
        ),
    ],
)
def test_what_cannot_be_demonstrated_on_is_refused(
    recorded: Recorded, eyehand: Eyehand, tmp_path: Path, arguments: tuple[object, ...], says: str
) -> None:
    words = [str(word).format(run=recorded[0]) for word in arguments]
    done = eyehand("collect", *words, "--out", tmp_path / "d")
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "d").exists()


def _payload(folder: Path, stream: str, index: int) -> object:
    with BagReader(folder) as reader:
        return [record.value for record in reader.records((), (stream,))][index]
