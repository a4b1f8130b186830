"""Writes a LeRobotDataset v3.0, an episode at a time: after each one the folder is a whole dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput, require
from policy.action_chunk import ActionSpace
from policy.dataset import files, fingerprint, statistics
from policy.dataset.episode import INDEX_COLUMNS, CameraFormat, Episode, features
from policy.features import unit_of


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """What is the same in all episodes of a dataset.

    Attributes:
        action_space: What the actions mean.
        dt_ns: Time between frames [ns].
        task: What is done, in words.
        object_class: The detector's class of the object that it is done with.
        robot: Model of the arm.
        cameras: Whose pictures are kept.
    """

    action_space: ActionSpace
    dt_ns: int
    task: str
    object_class: str
    robot: str
    cameras: tuple[CameraFormat, ...] = ()

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """Columns, as `meta/info.json` lists them."""
        return features(self.action_space, self.cameras)

    @property
    def units(self) -> dict[str, str | None]:
        """Unit of each number by its name."""
        vectors = [column["names"] for column in self.features.values() if column["dtype"] == "float32"]
        return {name: unit_of(name) for names in vectors for name in names or ()}


class DatasetWriter:
    """Adds episodes to a folder.

    Beside LeRobot's files, `meta/eyehand.json` says what the numbers mean, how they came about, and what has been
    tried: each attempt with its episode, or none if it failed.

    Args:
        folder: The dataset; made if it is not there.
        form: What is the same in all episodes.
        about: How they come about; JSON. A dataset is gone on with only if this is the same.
        command: What was typed, for the records.
        resume: Go on with what is there, rather than refuse it.

    Raises:
        BadInput: If the folder holds another dataset, or any and it is not to be gone on with.
        deploy.errors.Missing: Without pyarrow.
    """

    def __init__(
        self, folder: Path, form: DatasetFormat, about: Mapping[str, Any], *, command: str = "", resume: bool = False
    ) -> None:
        require("pyarrow.parquet", "dataset")
        self.folder = folder
        self._form = form
        self._about = {"format": 1, **json.loads(json.dumps(asdict(form))), "units": form.units, **about}
        self._commands = [command] if command else []
        self.attempts: list[dict[str, Any]] = []
        self.episodes = self.frames = 0
        self._digests: list[str] = []
        self._stats: statistics.Stats | None = None
        if (folder / files.ABOUT).exists():
            if not resume:
                raise BadInput(f"--out {folder}: holds a dataset; name a new folder, or go on with it: --resume")
            self._take_up()
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BadInput(f"--out {folder}: exists and is not an empty folder; name a new one")
        else:
            files.write_table(folder / files.TASKS, files.tasks_table(form.task))
            self._write_meta()

    @property
    def fingerprint(self) -> str:
        """Hash of all values so far."""
        return fingerprint.of_dataset(self._form.features, self._form.dt_ns, self._digests)

    def add(self, attempt: Mapping[str, Any], episode: Episode | None) -> None:
        """Note an attempt, and write its episode unless it failed.

        Args:
            attempt: What is known of it; JSON.
            episode: Its frames, with pictures of the cameras of the format.
        """
        noted = {**attempt, "episode_index": None}
        if episode is not None:
            noted |= {"episode_index": self.episodes, "frames": len(episode), "sha256": self._write(episode)}
        self.attempts.append(noted)
        self._write_meta()

    def _write(self, episode: Episode) -> str:
        index, length = self.episodes, len(episode)
        columns = self._columns(length)
        stats = statistics.of_episode(episode, columns)
        files.write_table(self.folder / files.place(files.DATA_PATH, index), files.data_table(episode, columns))
        row = files.episode_table(index, self._form.task, self.frames, length, stats)
        files.write_table(self.folder / files.place(files.EPISODES_PATH, index), row)
        digest = fingerprint.of_episode(episode)
        self._count(length, digest, stats)
        return digest

    def _columns(self, length: int) -> dict[str, npt.NDArray[Any]]:
        numbers = np.arange(length)
        values: tuple[npt.NDArray[Any], ...] = (
            (numbers * (self._form.dt_ns * 1e-9)).astype(np.float32),
            numbers,
            np.full(length, self.episodes),
            self.frames + numbers,
            np.zeros(length, dtype=np.int64),
        )
        return dict(zip(INDEX_COLUMNS, values, strict=True))

    def _count(self, length: int, digest: str, stats: statistics.Stats) -> None:
        self.episodes += 1
        self.frames += length
        self._digests.append(digest)
        self._stats = stats if self._stats is None else statistics.aggregate([self._stats, stats])

    def _write_meta(self) -> None:
        """The last file says what counts: what a killed process wrote beyond it is written again."""
        if self._stats is not None:
            files.write_json(self.folder / files.STATS, statistics.to_json(self._stats))
        info = {
            "codebase_version": files.VERSION,
            "robot_type": self._form.robot,
            "total_episodes": self.episodes,
            "total_frames": self.frames,
            "total_tasks": 1,
            "chunks_size": files.FILES,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": _fps(self._form.dt_ns),
            "splits": {"train": f"0:{self.episodes}"},
            "data_path": files.DATA_PATH,
            "video_path": None,
            "features": self._form.features,
        }
        files.write_json(self.folder / files.INFO, info)
        value = {
            **self._about, "commands": self._commands, "fingerprint": self.fingerprint, "attempts": self.attempts,
        }  # fmt: skip
        files.write_json(self.folder / files.ABOUT, value)

    def _take_up(self) -> None:
        """Go on where another process ended, as if it had been this one."""
        path = self.folder / files.ABOUT
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            attempts, commands = known.pop("attempts"), known.pop("commands", [])
        except (ValueError, KeyError, AttributeError) as error:
            raise BadInput(f"{path}: cannot be read ({error}); name a new folder") from error
        for key, value in json.loads(json.dumps(self._about)).items():
            if known.get(key) != value:
                raise BadInput(
                    f"--resume: {self.folder} was made with another {key}: {_short(known.get(key))}, now "
                    f"{_short(value)}; give the same, or name a new folder"
                )
        for attempt in attempts:
            if attempt["episode_index"] is not None:
                row = files.read_table(self.folder / files.place(files.EPISODES_PATH, self.episodes)).to_pydict()
                self._count(int(row["length"][0]), attempt["sha256"], files.stats_of(row))
        self.attempts, self._commands = attempts, [*commands, *self._commands]
        for pattern in (files.DATA_PATH, files.EPISODES_PATH):
            kept = {self.folder / files.place(pattern, index) for index in range(self.episodes)}
            for file in (self.folder / pattern.split("/chunk", 1)[0]).glob("chunk-*/*"):
                if file not in kept:
                    file.unlink()


def _fps(dt_ns: int) -> int:
    fps, rest = divmod(1_000_000_000, dt_ns)
    if rest:
        raise BadInput(f"frames {dt_ns} ns apart are no whole number a second: LeRobot's datasets need that")
    return fps


def _short(value: Any, longest: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= longest else f"{text[:longest]}..."
