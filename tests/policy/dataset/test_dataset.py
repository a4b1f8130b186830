"""What is written is what is read; a collection that was broken off goes on as if it had not been."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra dataset")

from deploy.errors import BadInput  # noqa: E402
from policy.dataset import DatasetWriter, read_dataset  # noqa: E402
from policy.features import ACTION, ENVIRONMENT, STATE, STATE_NAMES, action_names  # noqa: E402
from tests.policy.dataset.made_up import ABOUT, FORM, PICTURED, attempt, episode, write  # noqa: E402


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    episodes = [episode(3, 30), episode(4, 25)]
    writer = write(tmp_path / "d", episodes)
    data = read_dataset(tmp_path / "d")
    assert len(data) == 55
    for key in (STATE, ENVIRONMENT, ACTION):
        assert (data.vectors[key] == np.concatenate([made.vectors[key] for made in episodes])).all()
    assert data.episode_index.tolist() == [0] * 30 + [1] * 25
    assert data.frame_index.tolist() == [*range(30), *range(25)]
    assert data.names(STATE) == STATE_NAMES
    assert data.names(ACTION) == action_names("joint_position")
    assert data.units(STATE) == ("rad",) * 6 + ("1", "m", "m", "m")
    assert data.fingerprint == writer.fingerprint


def test_lerobots_own_columns(tmp_path: Path) -> None:
    write(tmp_path / "d", [episode(3, 30), episode(4, 25)])
    table = pq.read_table(tmp_path / "d/data/chunk-000/file-001.parquet")
    assert table["index"].to_pylist() == list(range(30, 55))
    assert table["timestamp"].to_numpy() == pytest.approx(np.arange(25) / 10)
    assert set(table["task_index"].to_pylist()) == {0}
    row = pq.read_table(tmp_path / "d/meta/episodes/chunk-000/file-001.parquet").to_pylist()[0]
    assert (row["dataset_from_index"], row["dataset_to_index"], row["length"]) == (30, 55, 25)
    assert row["tasks"] == [FORM.task]
    info = json.loads((tmp_path / "d/meta/info.json").read_text())
    assert (info["codebase_version"], info["fps"], info["total_frames"]) == ("v3.0", 10, 55)


def test_statistics_are_those_of_all_frames(tmp_path: Path) -> None:
    episodes = [episode(3, 30), episode(4, 60), episode(5, 10)]
    write(tmp_path / "d", episodes)
    stats = json.loads((tmp_path / "d/meta/stats.json").read_text())
    state = np.concatenate([made.state for made in episodes]).astype(np.float64)
    assert stats[STATE]["mean"] == pytest.approx(state.mean(axis=0), rel=1e-12)
    assert stats[STATE]["std"] == pytest.approx(state.std(axis=0), rel=1e-12)
    assert stats[STATE]["min"] == state.min(axis=0).tolist()
    assert stats[STATE]["max"] == state.max(axis=0).tolist()
    assert stats[STATE]["count"] == [100]
    quantiles = [np.quantile(made.state.astype(np.float64), 0.9, axis=0) for made in episodes]
    assert stats[STATE]["q90"] == pytest.approx(np.average(quantiles, axis=0, weights=[30, 60, 10]))


def test_failed_attempts_are_counted_and_left_out(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "d", FORM, ABOUT)
    for number, made in enumerate([None, episode(1, 20), None]):
        writer.add(attempt(number), made)
    about = read_dataset(tmp_path / "d").about
    assert [noted["episode_index"] for noted in about["attempts"]] == [None, 0, None]
    assert about["attempts"][1]["frames"] == 20
    assert about["action_space"] == "joint_position"
    assert about["units"]["object.vx"] == "m/s"


@pytest.mark.parametrize("broken_after", [0, 1, 2, 3])
def test_going_on_comes_to_the_same_bytes(tmp_path: Path, broken_after: int) -> None:
    episodes: list[Any] = [episode(1, 20), None, episode(2, 30), episode(3, 10)]
    write(tmp_path / "whole", episodes)
    write(tmp_path / "broken", episodes[:broken_after])
    again = DatasetWriter(tmp_path / "broken", FORM, ABOUT, resume=True)
    assert len(again.attempts) == broken_after
    for number, made in enumerate(episodes[broken_after:], broken_after):
        again.add(attempt(number), made)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_what_a_killed_process_wrote_beyond_its_account_is_written_again(tmp_path: Path) -> None:
    write(tmp_path / "whole", [episode(1, 20), episode(2, 30)])
    write(tmp_path / "killed", [episode(1, 20)])
    account = (tmp_path / "killed/meta/eyehand.json").read_bytes()
    DatasetWriter(tmp_path / "killed", FORM, ABOUT, resume=True).add(attempt(1), episode(9, 99))
    (tmp_path / "killed/meta/eyehand.json").write_bytes(account)
    again = DatasetWriter(tmp_path / "killed", FORM, ABOUT, resume=True)
    assert again.episodes == 1
    assert not (tmp_path / "killed/data/chunk-000/file-001.parquet").exists()
    again.add(attempt(1), episode(2, 30))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_the_fingerprint_is_of_names_and_values(tmp_path: Path) -> None:
    first = write(tmp_path / "a", [episode(1, 20)]).fingerprint
    assert write(tmp_path / "b", [episode(1, 20)]).fingerprint == first
    assert write(tmp_path / "c", [episode(2, 20)]).fingerprint != first
    other = DatasetWriter(tmp_path / "d", replace(FORM, action_space="joint_delta"), ABOUT)
    other.add(attempt(0), episode(1, 20))
    assert other.fingerprint != first


def test_pictures(tmp_path: Path) -> None:
    made = episode(1, 12, pictures=True)
    writer = DatasetWriter(tmp_path / "d", PICTURED, ABOUT)
    writer.add(attempt(0), made)
    table = pq.read_table(tmp_path / "d/data/chunk-000/file-000.parquet")
    key = "observation.images.wrist"
    assert [row["bytes"] for row in table[key].to_pylist()] == list(made.images[key])
    stats = json.loads((tmp_path / "d/meta/stats.json").read_text())[key]
    assert np.shape(stats["mean"]) == (3, 1, 1)
    # red 200, green 100, blue 20 with a little noise: in this order, 0 to 1
    assert np.ravel(stats["mean"]) == pytest.approx(np.array((200, 100, 20)) / 255, abs=0.02)
    info = json.loads((tmp_path / "d/meta/info.json").read_text())
    assert info["features"][key] == {
        "dtype": "image", "shape": [48, 64, 3], "names": ["height", "width", "channels"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"about": {**ABOUT, "seed": 8}}, "another seed: 7, now 8"),
        ({"form": replace(FORM, action_space="ee_pose")}, "another action_space"),
        ({"resume": False}, "holds a dataset"),
    ],
)
def test_another_collection_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    write(tmp_path / "d", [episode(1, 20)])
    options = {"form": FORM, "about": ABOUT, "resume": True, **change}
    with pytest.raises(BadInput, match=says):
        DatasetWriter(tmp_path / "d", **options)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="not an empty folder"):
        DatasetWriter(tmp_path, FORM, ABOUT, resume=True)


def test_a_frame_rate_that_is_no_whole_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no whole number a second"):
        DatasetWriter(tmp_path / "d", replace(FORM, dt_ns=33_333_333), ABOUT)


def test_an_episode_with_a_hole_is_refused() -> None:
    made = episode(1, 20)
    action = made.action.copy()
    action[7, 2] = np.nan
    with pytest.raises(ValueError, match="action of an episode is not finite in frame 7"):
        replace(made, action=action)
    with pytest.raises(ValueError, match="lengths"):
        replace(made, action=made.action[:5])


@pytest.mark.parametrize(
    ("info", "says"),
    [
        (None, "no LeRobotDataset in it"),
        ("{", "not JSON"),
        ("[]", "expected an object"),
        (json.dumps({"codebase_version": "v2.1"}), "LeRobotDataset v2.1, expected v3.0"),
        (json.dumps({"codebase_version": "v3.0", "total_episodes": 0, "features": {}}), "no episodes"),
    ],
)
def test_what_is_no_dataset_is_refused(tmp_path: Path, info: str | None, says: str) -> None:
    if info is not None:
        (tmp_path / "meta").mkdir()
        (tmp_path / "meta/info.json").write_text(info)
    with pytest.raises(BadInput, match=says):
        read_dataset(tmp_path)
