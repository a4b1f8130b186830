"""Collecting demonstrations: the expert, disturbed, through the whole pipeline, into a LeRobotDataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from deploy.errors import BadInput
from launch.collecting.cell import Attempt, Plan
from launch.collecting.jobs import attempts
from launch.collecting.recorded import RecordedRun
from launch.config import Config, to_yaml
from launch.config.rig import CameraConfig
from launch.interruption import Interruption
from launch.session import Progress
from launch.sources import check_simulated
from policy.action_chunk import ActionSpace
from policy.dataset import CameraFormat, DatasetFormat, DatasetWriter
from policy.expert import DT_NS
from robot.sim.picture_size import picture_size

_TASKS: Final = {"pick_place": "Pick up the {object} and place it in the bin."}


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection came to.

    Attributes:
        folder: The dataset.
        attempts: Episodes that were run, also by the commands that this one went on from.
        episodes: Those that are in the dataset.
        frames: Frames of all of them.
        fingerprint: Hash of the values.
        interrupted: It was stopped from outside.
    """

    folder: Path
    attempts: int
    episodes: int
    frames: int
    fingerprint: str
    interrupted: bool

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {**asdict(self), "folder": str(self.folder), "failed": self.attempts - self.episodes}


def collect(
    plan: Plan, out: Path, episodes: int, *, jobs: int, resume: bool, command: str, progress: Progress
) -> Collected:
    """Run the episodes that are not in the dataset yet; each is written as soon as those before it are.

    Args:
        plan: What is to be collected.
        out: The dataset.
        episodes: How many are to be run in all; those that fail are counted, and left out.
        jobs: In how many processes. The dataset does not depend on it.
        resume: Go on with the dataset that is there.
        command: How this was asked for, for the records.
        progress: Told how it goes.

    Raises:
        BadInput: If the configuration has no task, no simulated arm or another frame rate, or the folder is taken.
    """
    form = dataset_format(plan)
    about = {
        "made_by": "eyehand collect",
        "seed": plan.config.seed,
        "noise": asdict(plan.noise),
        "moving": plan.moving,
        "configuration": to_yaml(plan.config),
    }
    writer = DatasetWriter(out, form, about, command=command, resume=resume)
    todo = range(len(writer.attempts), episodes)
    with Interruption() as interruption:
        for attempt in attempts(plan, todo, jobs, lambda: interruption.requested):
            writer.add(attempt.to_dict(), attempt.episode)
            progress(f"episode {attempt.number + 1}/{episodes}: {_told(attempt)}")
        if interruption.requested:
            progress(f"interrupted: {writer.episodes} episodes are in {out}; go on with --resume")
    return Collected(
        out, len(writer.attempts), writer.episodes, writer.frames, writer.fingerprint, interruption.requested
    )


def collect_recorded(
    runs: Sequence[Path], out: Path, space: ActionSpace, *, images: bool, resume: bool, command: str, progress: Progress
) -> Collected:
    """Make demonstrations of recorded runs: episodes that failed, or that were broken off, are left out.

    Args:
        runs: Run folders; of one robot, task and object.
        out: The dataset.
        space: What the actions are to mean.
        images: Whether pictures are kept.
        resume: Go on with the dataset that is there.
        command: How this was asked for, for the records.
        progress: Told how it goes.

    Raises:
        BadInput: If a run cannot be used, or they do not fit together, or the folder is taken.
    """
    writer: DatasetWriter | None = None
    form: DatasetFormat | None = None
    done = 0
    for path in runs:
        run = RecordedRun(path)
        made = recorded_format(run, space, images=images)
        if writer is None:
            form = made
            about = {"made_by": "eyehand collect --from-bag", "runs": [str(path) for path in runs]}
            writer = DatasetWriter(out, form, about, command=command, resume=resume)
        elif made != form:
            raise BadInput(f"--from-bag {path}: another robot, task, object or camera than {runs[0]}; collect it apart")
        if done + run.episodes > len(writer.attempts):
            for attempt in run.attempts(done, space, DT_NS, [camera.name for camera in made.cameras]):
                if attempt.number >= len(writer.attempts):
                    writer.add(attempt.to_dict(), attempt.episode)
                    progress(f"{path}, episode {attempt.detail['episode'] + 1}: {_told(attempt)}")
        done += run.episodes
    assert writer is not None
    return Collected(out, len(writer.attempts), writer.episodes, writer.frames, writer.fingerprint, interrupted=False)


def recorded_format(run: RecordedRun, space: ActionSpace, *, images: bool) -> DatasetFormat:
    """The dataset that comes of a recorded run."""
    config = run.config
    assert config.rig.arm is not None
    cameras = tuple(CameraFormat(name, *size) for name, size in run.picture_sizes().items()) if images else ()
    task = _TASKS["pick_place" if config.task is None else config.task.type]
    text = task.format(object=config.policy.object_class.replace("_", " "))
    return DatasetFormat(space, DT_NS, text, config.policy.object_class, config.rig.arm.model, cameras)


def taught_by_the_expert(config: Config) -> Config:
    """The configuration with the scripted expert as its policy; its other settings stay.

    Raises:
        BadInput: If it has options of another policy: they are not the expert's.
    """
    if config.policy.type == "expert":
        return config
    if config.policy.options:
        raise BadInput(
            f"policy.options: {', '.join(config.policy.options)} of policy.type {config.policy.type}, demonstrations "
            "are the expert's: leave them out, or add --set policy.type=expert if they are meant for it"
        )
    expert: dict[str, object] = {"type": "expert", "options": {}, "file": None, "sha256": None}
    return config.model_copy(update={"policy": config.policy.model_copy(update=expert)})


def dataset_format(plan: Plan) -> DatasetFormat:
    """The dataset that comes of a plan.

    Raises:
        BadInput: If nothing can come of it.
    """
    config = plan.config
    _check(config)
    assert config.task is not None
    assert config.rig.arm is not None
    cameras: tuple[CameraFormat, ...] = ()
    if plan.images:
        cameras = tuple(_camera_format(camera) for camera in config.rig.cameras)
    task = _TASKS[config.task.type].format(object=config.policy.object_class.replace("_", " "))
    return DatasetFormat(plan.action_space, DT_NS, task, config.policy.object_class, config.rig.arm.model, cameras)


def _camera_format(camera: CameraConfig) -> CameraFormat:
    width, height = picture_size(camera.source.options.get("size_px"), camera.name)
    return CameraFormat(camera.name, height, width)


def _check(config: Config) -> None:
    check_simulated(config.rig)
    if config.task is None or config.rig.arm is None:
        raise BadInput(f"configuration {config.name} has no task or no arm: there is nothing to demonstrate")
    if len(config.rig.cameras) != 1:
        raise BadInput(
            f"rig.cameras: {config.rig.name} has {len(config.rig.cameras)}, demonstrations have one frame per action: "
            "use a rig with one camera"
        )
    for camera in config.rig.cameras:
        if round(1e9 / camera.rate_hz) != DT_NS:
            raise BadInput(
                f"rig.cameras: {camera.name} has {camera.rate_hz:g} frames/s, demonstrations have one per action, "
                f"{1e9 / DT_NS:g}/s: --set rig.cameras.0.rate_hz={1e9 / DT_NS:g}"
            )


def _told(attempt: Attempt) -> str:
    if attempt.episode is None:
        return f"left out: {attempt.reason}"
    return f"{len(attempt.episode)} frames"
