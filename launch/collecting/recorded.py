"""Demonstrations out of recorded runs: what perception gave, and what the policy meant to do at that instant."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from deploy.errors import BadInput
from geometry.types import Array, Image
from launch.bag import BagReader
from launch.codec import RecordedTracks, decode_chunk, decode_tracks
from launch.collecting.cell import Attempt, episode_of
from launch.config import Config
from launch.ledger import Outcome, Rows, Stage, read_plan_word, rows_from_bytes
from launch.observe import observe
from launch.recording import LEDGER, is_run, run_config
from launch.wiring import arm_model, build_detector
from perception.frame import Frame
from policy.action_chunk import ActionChunk, ActionSpace
from policy.demonstrator import Demonstration
from policy.motion import Phase
from robot.arm import RobotState
from robot.kinematics import Kinematics, Unreachable

# Frames of a real camera come a little earlier or later than their turn: by this part of the time between actions.
_SLACK: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Planned:
    """A chunk: from when on it was there [ns], and how far ahead its plan was asked for [ns]."""

    since_ns: int
    ahead_ns: int
    chunk: ActionChunk


class RecordedRun:
    """A run that was recorded, as demonstrations.

    Args:
        path: Run folder.

    Attributes:
        config: Its configuration.

    Raises:
        BadInput: If it is no run of ours, or one without an arm.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with BagReader(path) as reader:
            if not is_run(reader):
                raise BadInput(f"--from-bag {path}: no run in it; give folders of `eyehand run`")
            self.config: Config = run_config(reader, path)
            if self.config.rig.arm is None or "chunks" not in reader.streams:
                raise BadInput(f"--from-bag {path}: nothing was planned in this run")
            self._arm: Kinematics = arm_model(self.config.rig.arm)
            self._read(reader)
        self._details = _details(path)

    def _read(self, reader: BagReader) -> None:
        tracks: list[bytes] = []
        chunks: list[bytes] = []
        blocks: list[Rows] = []
        self._states: list[RobotState] = []
        for record in reader.records((), ("joint_states", "tracks", "chunks", LEDGER)):
            if isinstance(record.value, RobotState):
                self._states.append(record.value)
            elif record.stream == LEDGER:
                blocks.append(rows_from_bytes(record.value))  # type: ignore[arg-type]
            else:
                (tracks if record.stream == "tracks" else chunks).append(record.value)  # type: ignore[arg-type]
        self._state_stamps = np.array([state.stamp_ns for state in self._states])
        names = build_detector(self.config, self.config.detector)[0].class_names
        rows = np.concatenate(blocks) if blocks else np.empty(0, rows_from_bytes(b"").dtype)
        done = rows[rows["outcome"] == Outcome.OK]
        self._begun_ns = [int(row["now_ns"]) for row in rows[rows["stage"] == Stage.EPISODE]]
        self._tracks: list[RecordedTracks] = []
        first_seen_ns: dict[int, int] = {}
        for row in rows:
            if row["stage"] == Stage.EPISODE:
                first_seen_ns.clear()
            elif row["stage"] == Stage.TRACK and row["outcome"] == Outcome.OK:
                self._tracks.append(decode_tracks(tracks[int(row["sequence"])], names, first_seen_ns))
        self._plans = [
            _Planned(
                int(row["now_ns"] + row["modelled_ns"]),
                read_plan_word(int(row["decision"]))[0],
                decode_chunk(chunks[int(row["sequence"])]),
            )
            for row in done[done["stage"] == Stage.PLAN]
        ]

    def attempts(self, first: int, space: ActionSpace, dt_ns: int, images: Sequence[str]) -> Iterator[Attempt]:
        """Its episodes.

        Args:
            first: Number of the first of them in the collection.
            space: What the actions are to mean.
            dt_ns: Time between frames [ns].
            images: Cameras whose pictures are kept.

        Raises:
            BadInput: If pictures are asked for that were not recorded.
        """
        ends = [*self._begun_ns[1:], np.iinfo(np.int64).max]
        for index, (begun_ns, end_ns) in enumerate(zip(self._begun_ns, ends, strict=True)):
            detail = {"run": str(self._path), "episode": index}
            details = self._details or []
            judged = details[index] if index < len(details) else {}
            seed, success = int(judged.get("seed", -1)), judged.get("success")
            reason = ""
            ended = len(self._begun_ns) - 1 if self._details is None else len(details)
            if index >= ended:
                reason = "the run was broken off in it"
            elif success is False:
                reason = "the task failed"
            made = None
            if not reason:
                frames = self._frames(begun_ns, end_ns, dt_ns)
                try:
                    made = episode_of(self._pictured(frames, images), space, self._arm, dt_ns, slack=_SLACK)
                except (ValueError, Unreachable) as error:
                    if isinstance(error, BadInput):
                        raise
                    reason = str(error)
            yield Attempt(first + index, seed, bool(success), made, reason, detail=detail)

    def picture_sizes(self) -> dict[str, tuple[int, int]]:
        """Height and width of each camera's pictures [px].

        Raises:
            BadInput: If none were recorded.
        """
        with BagReader(self._path) as reader:
            reader.require_images()
            cameras = {name: reader.camera(name) for name in reader.cameras}
        return {name: (camera.height, camera.width) for name, camera in cameras.items()}

    @property
    def episodes(self) -> int:
        """How many began."""
        return len(self._begun_ns)

    def _frames(self, begun_ns: int, end_ns: int, dt_ns: int) -> list[Demonstration]:
        """The longest stretch of an episode in which there was a frame each time step, and a plan for it."""
        stretches: list[list[Demonstration]] = [[]]
        plans = [plan for plan in self._plans if begun_ns <= plan.since_ns < end_ns]
        due_ns = begun_ns
        for tracks in self._tracks:
            t_ns = tracks.stamp_ns
            if not begun_ns <= t_ns < end_ns or t_ns < due_ns - _SLACK * dt_ns:
                continue
            there = [plan for plan in plans if plan.since_ns <= t_ns]
            if t_ns > due_ns + _SLACK * dt_ns:
                stretches.append([])
            due_ns = t_ns + dt_ns
            if there and t_ns <= there[-1].chunk.end_ns:
                stretches[-1].append(self._demonstration(tracks, there[-1]))
            else:
                stretches.append([])
        return max(stretches, key=len)

    def _demonstration(self, tracks: RecordedTracks, plan: _Planned) -> Demonstration:
        t_ns = tracks.stamp_ns
        newest = max(0, int(np.searchsorted(self._state_stamps, t_ns, side="right")) - 1)
        ahead_ns = plan.ahead_ns if self.config.policy.extrapolate else 0
        observation = observe(tracks, self._states[newest], self._arm, self.config.policy.object_class, ahead_ns)
        return Demonstration(observation, self._pose(plan.chunk, t_ns), Phase.SEARCH)

    def _pose(self, chunk: ActionChunk, t_ns: int) -> Array:
        """What a chunk wants at a time, as an `ee_pose` action."""
        action = chunk.sample(t_ns)
        if chunk.space != "ee_pose":
            pose = self._arm.tcp(action[:6])
            action[:3], action[3:6] = pose.translation, pose.rotvec
        return action

    def _pictured(self, frames: list[Demonstration], cameras: Sequence[str]) -> list[Demonstration]:
        """The frames with the pictures that they were made from."""
        if not cameras or not frames:
            return frames
        wanted: dict[int, dict[str, Image]] = {frame.observation.stamp_ns: {} for frame in frames}
        with BagReader(self._path) as reader:
            for record in reader.records(cameras, ()):
                if isinstance(record.value, Frame) and record.value.stamp_ns in wanted:
                    wanted[record.value.stamp_ns][record.value.camera_name] = record.value.color
        for stamp_ns, pictures in wanted.items():
            for camera in set(cameras) - set(pictures):
                raise BadInput(f"--images: {self._path} has no picture of camera {camera} at {stamp_ns * 1e-9:.3f} s")
        return [
            replace(frame, observation=replace(frame.observation, images=wanted[frame.observation.stamp_ns]))
            for frame in frames
        ]


def _details(path: Path) -> list[dict[str, Any]] | None:
    """What the run's summary says of each episode that ended; None without one: the run was killed."""
    try:
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        return list(summary["episodes_detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
