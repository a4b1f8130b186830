"""The files of a LeRobotDataset v3.0: where they are, and parquet tables of what is in them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from deploy.errors import require
from policy.dataset.episode import Episode
from policy.dataset.statistics import Stats

VERSION: Final = "v3.0"
# files of a folder
FILES: Final = 1000
INFO, STATS, TASKS, ABOUT = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/eyehand.json"
DATA_PATH: Final = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH: Final = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
# pandas finds its index in this
_PANDAS: Final = {
    "index_columns": ["__index_level_0__"],
    "column_indexes": [
        {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object",
         "metadata": {"encoding": "UTF-8"}},
    ],
    "columns": [
        {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64",
         "metadata": None},
        {"name": None, "field_name": "__index_level_0__", "pandas_type": "unicode", "numpy_type": "object",
         "metadata": None},
    ],
    "creator": {"library": "pyarrow", "version": "17.0.0"},
    "pandas_version": "2.2.0",
}  # fmt: skip


def place(pattern: str, episode: int) -> str:
    """File of an episode: each has its own, so that what was written is never touched again."""
    return pattern.format(chunk_index=episode // FILES, file_index=episode % FILES)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file: whoever reads it finds the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.new")
    made.write_text(json.dumps(value, indent=4) + "\n", encoding="utf-8")
    made.replace(path)


def write_table(path: Path, table: Any) -> None:
    """Write a parquet file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.new")
    require("pyarrow.parquet", "dataset").write_table(table, made, compression="snappy")
    with made.open("rb+") as file:
        os.fsync(file.fileno())
    made.replace(path)


def read_table(path: Path, columns: list[str] | None = None) -> Any:
    """A parquet file, or some columns of it, as a `pyarrow.Table`."""
    return require("pyarrow.parquet", "dataset").ParquetFile(path).read(columns)


def tasks_table(task: str) -> Any:
    """The one task, as pandas would have written it: its text is the row's label."""
    pa = require("pyarrow", "dataset")
    schema = pa.schema(
        [("task_index", pa.int64()), ("__index_level_0__", pa.string())],
        metadata={b"pandas": json.dumps(_PANDAS).encode()},
    )
    return pa.Table.from_pydict({"task_index": [0], "__index_level_0__": [task]}, schema=schema)


def data_table(episode: Episode, columns: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Frames of an episode."""
    pa = require("pyarrow", "dataset")
    arrays: dict[str, Any] = {}
    for key, values in episode.vectors.items():
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), pa.float32())
        arrays[key] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for key, pictures in episode.images.items():
        rows = [{"bytes": png, "path": f"frame-{i:06d}.png"} for i, png in enumerate(pictures)]
        arrays[key] = pa.array(rows, picture)
    for key, column in columns.items():
        arrays[key] = pa.array(column, pa.float32() if key == "timestamp" else pa.int64())
    return pa.table(arrays)


def episode_table(index: int, task: str, first: int, length: int, stats: Stats) -> Any:
    """The row of `meta/episodes` of one episode."""
    pa = require("pyarrow", "dataset")
    at = {"chunk_index": index // FILES, "file_index": index % FILES}
    row: dict[str, Any] = {
        "episode_index": index,
        "tasks": [task],
        "length": length,
        **{f"data/{key}": value for key, value in at.items()},
        "dataset_from_index": first,
        "dataset_to_index": first + length,
        **{f"stats/{key}/{name}": value.tolist() for key, group in stats.items() for name, value in group.items()},
        **{f"meta/episodes/{key}": value for key, value in at.items()},
    }
    return pa.table({key: [value] for key, value in row.items()})


def stats_of(row: Mapping[str, list[Any]]) -> Stats:
    """Statistics out of a row of `meta/episodes`."""
    stats: Stats = {}
    for column, value in row.items():
        if column.startswith("stats/"):
            key, _, name = column[len("stats/") :].rpartition("/")
            stats.setdefault(key, {})[name] = np.array(value[0])
    return stats
