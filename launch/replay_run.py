"""Replaying a recording: a run of ours row by row, anybody's camera bag frame by frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import BadInput
from launch.bag import BagReader
from launch.config import Config, load_config, to_yaml
from launch.config.load import assign
from launch.config.rig import CameraConfig, SourceConfig
from launch.executor import Executor
from launch.ledger import rows_from_bytes
from launch.recording import CONFIG, END, LEDGER, NO_IMAGES, End, code_sha256, is_run, run_config
from launch.report import RunAccount
from launch.schedulers.profile import Durations
from launch.schedulers.replay import ReplayScheduler
from launch.session import Progress, RunResult, peak_memory_mb, versions
from launch.streams import OUTPUTS
from launch.tally import Tally
from launch.wiring import build_graph, resolve
from perception.frame import Frame
from robot.arm import RobotState

PERCEPTION = "perception"
# A stage that took seconds is executed after all that came in meanwhile: its inputs must still be there (100 MB).
HELD = 64


def replay(path: Path, assignments: Sequence[str], progress: Progress) -> tuple[RunResult, RunAccount]:
    """Replay a recording. Of a run without images nothing is executed, and the outcome says why.

    Raises:
        BadInput: If it is not a bag, is cut short, or has no images.
    """
    with BagReader(path) as reader:
        if is_run(reader) and not (config := run_config(reader, path)).record.images:
            outcome = RunResult(path, 0, None, 0, 0, 0, None, extra={"identical": None, "reason": NO_IMAGES})
            return outcome, RunAccount(config, Tally.of(config))
        reader.require_images()
        if is_run(reader):
            return _replay_run(reader, path, assignments)
        progress(f"{path}: no run in it, replaying its cameras: {', '.join(reader.cameras)}")
        return _replay_cameras(reader, path, assignments)


def _replay_run(reader: BagReader, path: Path, assignments: Sequence[str]) -> tuple[RunResult, RunAccount]:
    recorded = run_config(reader, path)
    changed = assign(recorded, assignments, str(path))
    _same_hardware(recorded, changed, path)
    config = resolve(changed)
    scheduler = ReplayScheduler(build_graph(config))
    executor = Executor(scheduler.graph, scheduler.timing, scheduler, keep=HELD)
    scheduler.attach(executor)
    tally = Tally.of(config)
    end: End | None = None
    for record in reader.records(streams=("joint_states", LEDGER, END, *OUTPUTS)):
        value = record.value
        if isinstance(value, Frame):
            scheduler.recorded_frame(value)
        elif isinstance(value, RobotState):
            scheduler.recorded_state(value)
        elif record.stream == LEDGER:
            scheduler.rows(rows_from_bytes(value))  # type: ignore[arg-type]
            tally.add(executor.ledger.take())
        elif record.stream == END:
            end = End.of(str(value))
        else:
            scheduler.recorded_output(record.stream, value)  # type: ignore[arg-type]
    scheduler.finish()
    identical, reason = _verdict(scheduler, recorded, config, assignments, end)
    extra: dict[str, object] = {"identical": identical}
    if reason is not None:
        extra["reason"] = reason
    outcome = RunResult(
        path,
        tally.episodes,
        None,
        tally.frames,
        tally.dropped_frames,
        tally.commands,
        executor.hash.hexdigest(),
        extra=extra,
    )
    return outcome, RunAccount(config, tally)


def _same_hardware(recorded: Config, changed: Config, path: Path) -> None:
    """A run's frames and states are its own cameras' and its own arm's: no setting can make them another's."""
    before, after = (", ".join(camera.name for camera in config.rig.cameras) for config in (recorded, changed))
    if before != after:
        raise BadInput(f"{path}: recorded with cameras {before}, they cannot become {after}; leave rig.cameras.*.name")
    if (recorded.rig.arm is None) != (changed.rig.arm is None):
        had, has = ("without an arm", "one") if recorded.rig.arm is None else ("with an arm", "none")
        raise BadInput(f"{path}: recorded {had}, a replay cannot have {has}; leave rig.arm as it is")


def _verdict(
    scheduler: ReplayScheduler, recorded: Config, config: Config, assignments: Sequence[str], end: End | None
) -> tuple[bool | None, str | None]:
    if assignments:
        return None, f"the configuration was changed: {', '.join(assignments)}"
    if end is None:
        return None, "the recording has no end: the run was killed"
    if end.lost:
        return None, f"the run lost {end.lost} rows or frames while recording"
    if scheduler.missing is not None:
        return None, scheduler.missing
    for before, after in zip(_models(recorded), _models(config), strict=True):
        if before != after:
            return None, f"model {after[0]} is another file than the run used"
    if scheduler.difference is not None:
        changed = "" if end.code == code_sha256() else "; eyehand's own code has changed since the recording"
        return False, scheduler.difference + changed
    return True, None


def _models(config: Config) -> list[tuple[str, str | None]]:
    """Names and hashes of the files that detect and plan."""
    chosen = config.detector
    detects = [(used.model, used.sha256) for used in (chosen, chosen.fallback) if used is not None]
    return [*detects, (config.policy.model, config.policy.sha256)]


def _replay_cameras(reader: BagReader, path: Path, assignments: Sequence[str]) -> tuple[RunResult, RunAccount]:
    """Detect, localize and track each frame of a bag in log order, in the camera's frame unless `rig` places it."""
    config = resolve(_camera_config(reader, path, assignments))
    known = {camera.name: camera for camera in config.rig.cameras}
    cameras = [known[name] for name in reader.cameras if name in known]
    if not cameras:
        raise BadInput(
            f"{path}: cameras {', '.join(reader.cameras)} are not in rig {config.rig.name}: {', '.join(known)}"
        )
    if config.localize.require_depth:
        for camera in cameras:
            reader.require_depth(camera.name, "--set localize.require_depth=false to detect without places")
    graph = build_graph(config, cameras)
    executor = Executor(graph, Durations(config.profile, seed=config.seed))
    tally = Tally.of(config)
    now_ns = 0
    executor.episode(0, now_ns)
    for record in reader.records([camera.name for camera in cameras], ("joint_states",)):
        if isinstance(record.value, RobotState):
            executor.input_state(record.value, record.value.stamp_ns)
        elif isinstance(record.value, Frame):
            frame = executor.input_frame(record.value, max(now_ns, record.value.received_ns))
            if executor.comes_too_late(frame):
                continue
            found = executor.detect(frame.published_ns, frame.camera, frame.sequence)
            placed = executor.localize(found.published_ns, found.sequence, executor.states.newest_sequence)
            now_ns = executor.track(placed.published_ns, placed.sequence).published_ns if placed else found.published_ns
            tally.add(executor.ledger.take())
    tally.add(executor.ledger.take())
    reason = "the recording has no run to compare with"
    outcome = RunResult(
        path, 0, None, tally.frames, tally.dropped_frames, 0, executor.hash.hexdigest(),
        extra={"identical": None, "reason": reason},
    )  # fmt: skip
    return outcome, RunAccount(config, tally)


def _camera_config(reader: BagReader, path: Path, assignments: Sequence[str]) -> Config:
    """The packaged perception configuration on the bag's own cameras; a configuration recorded beside them wins."""
    if CONFIG in reader.texts:
        return assign(run_config(reader, path), assignments, str(path))
    config = load_config(PERCEPTION, assignments)
    if any(assignment.startswith("rig") for assignment in assignments):
        return config
    cameras = tuple(
        CameraConfig(name=name, source=SourceConfig(type="recording", options={"path": str(path)}))
        for name in reader.cameras
    )
    return config.model_copy(update={"rig": config.rig.model_copy(update={"cameras": cameras})})


def save(outcome: RunResult, account: RunAccount, folder: Path) -> None:
    """Leave the replay's summary and configuration in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(to_yaml(account.config), encoding="utf-8")
    summary = {
        **outcome.to_dict(), "latency": account.document(), "peak_memory_mb": peak_memory_mb(), "versions": versions(),
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
