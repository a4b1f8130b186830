"""A small LeRobot dataset (v3.0) of a toy task, written without LeRobot: the arm goes to the object and closes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from policy.dataset.files import tasks_table
from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, STATE, STATE_NAMES, action_names

FPS = 10
_JACOBIAN = np.array(
    [[1.2, 0.3, 0.1], [0.2, -0.9, 0.5], [0.4, 0.8, -0.7], [0.1, 0.2, 0.9], [0.0, 0.0, 0.02], [1.0, -0.2, 0.1]]
)
_HOME = np.array([0.3, -1.6, 1.8, -1.7, -1.57, 0.4])


def joints(tool: np.ndarray) -> np.ndarray:
    """Joint angles [rad] of the toy arm with its tool somewhere, shape (..., 3) to (..., 6)."""
    return _HOME + (tool - np.array([0.6, 0.0, 0.3])) @ _JACOBIAN.T


def episode(rng: np.random.Generator, frames: int) -> dict[str, np.ndarray]:
    """One episode: states, environments and actions."""
    thing = np.array([0.6, 0.0, 0.02]) + rng.uniform(-0.15, 0.15, 3) * (1, 1, 0)
    tool = np.array([0.6, 0.0, 0.3]) + rng.normal(0, 0.05, 3)
    gripper, rows = 1.0, []
    for frame in range(frames):
        seen = frame > 1
        step = np.clip(0.2 * (thing - tool), -0.03, 0.03)
        goal, close = tool + step, float(np.linalg.norm(thing - tool) > 0.02)
        environment = [*thing, 0.0, 0.0, 0.0, 1.0] if seen else [0.0] * 7
        rows.append(([*joints(tool), gripper, *tool], environment, [*joints(goal), close]))
        tool, gripper = goal + rng.normal(0, 0.003, 3), gripper + np.clip(close - gripper, -0.3, 0.3)
    state, environment, action = (np.array(part, dtype=np.float32) for part in zip(*rows, strict=True))
    return {STATE: state, ENVIRONMENT: environment, ACTION: action}


def write_toy(folder: Path, episodes: int = 12, frames: int = 40, seed: int = 0) -> Path:
    """Write the dataset: what LeRobot itself loads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    parts = [episode(rng, frames) for _ in range(episodes)]
    names = {STATE: STATE_NAMES, ENVIRONMENT: ENVIRONMENT_NAMES, ACTION: action_names("joint_position")}
    vectors = {name: np.concatenate([part[name] for part in parts]) for name in names}
    total = episodes * frames
    columns = {
        **{n: pa.FixedSizeListArray.from_arrays(pa.array(v.ravel()), v.shape[1]) for n, v in vectors.items()},
        "timestamp": pa.array(np.tile(np.arange(frames) / FPS, episodes).astype(np.float32)),
        "frame_index": pa.array(np.tile(np.arange(frames), episodes)),
        "episode_index": pa.array(np.repeat(np.arange(episodes), frames)),
        "index": pa.array(np.arange(total)),
        "task_index": pa.array(np.zeros(total, dtype=np.int64)),
    }
    for place in ("data/chunk-000", "meta/episodes/chunk-000"):
        (folder / place).mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "data" / "chunk-000" / "file-000.parquet")
    scalar = {"shape": [1], "names": None}
    features = {
        **{n: {"dtype": "float32", "shape": [v.shape[1]], "names": list(names[n])} for n, v in vectors.items()},
        "timestamp": {"dtype": "float32", **scalar},
        **{name: {"dtype": "int64", **scalar} for name in ("frame_index", "episode_index", "index", "task_index")},
    }
    info = {
        "codebase_version": "v3.0", "robot_type": "toy", "total_episodes": episodes, "total_frames": total,
        "total_tasks": 1, "chunks_size": 1000, "data_files_size_in_mb": 100, "video_files_size_in_mb": 200, "fps": FPS,
        "splits": {"train": f"0:{episodes}"}, "video_path": None, "features": features,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    }  # fmt: skip
    stats = {
        n: {"mean": v.mean(0), "std": v.std(0), "min": v.min(0), "max": v.max(0), "count": np.array([total])}
        for n, v in vectors.items()
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info))
    (folder / "meta" / "stats.json").write_text(json.dumps(stats, default=lambda values: values.tolist()))
    (folder / "meta" / "eyehand.json").write_text(json.dumps({"action_space": "joint_position", "fingerprint": "toy"}))
    rows = [
        {
            "episode_index": i, "tasks": ["reach"], "length": frames,
            "dataset_from_index": i * frames, "dataset_to_index": (i + 1) * frames,
            "data/chunk_index": 0, "data/file_index": 0, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
        }
        for i in range(episodes)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), folder / "meta" / "episodes" / "chunk-000" / "file-000.parquet")
    pq.write_table(tasks_table("reach"), folder / "meta" / "tasks.parquet")
    return folder
