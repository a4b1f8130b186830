"""Episodes of the simulated task for benchmarks: in this process or several, watched, one JSON line each, resumable."""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from smoothness import Motion, tick_of

from deploy.errors import BadInput, EyehandError
from launch import graph, virtual_run
from launch.cli.values import at_least
from launch.config import Config, load_config
from launch.control_path import Command, ControlPath
from launch.ledger import Stage
from launch.recording import code_sha256
from launch.schedulers.profile import Durations
from launch.sim_cell import SimCell
from launch.wiring import build_schedule, governor_limits, resolve
from policy import ChunkSchedule
from robot.sim.layout import CUBE_EDGE_M
from robot.sim.picture_size import picture_size
from robot.trajectory import JointTrajectory

EXPERT = "expert"
CAUSES = ("never saw", "missed grasp", "dropped", "knocked off", "timed out", "safe stop")
LIFTED_M = 0.03
OPEN, CLOSING = 0.95, 0.8
EXPERIENCE = 128  # plans
Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode to play.

    Attributes:
        policy: `expert`, or the name of a model in the store.
        seed: Of the run; `eyehand run --seed SEED` with the same settings is the same scene.
        sets: Assignments, as `--set` takes them.
        profile: Latency profile.
        size: Width and height of the camera's pictures [px].
        name: What the episode is of, for the table.
        model_sha256: The learned policy's file: what another one played is no row of this one's.
    """

    policy: str
    seed: int
    sets: tuple[str, ...] = ()
    profile: str = "orin_agx"
    size: tuple[int, int] = (640, 480)
    name: tuple[str | float, ...] = ()
    model_sha256: str | None = None

    @property
    def key(self) -> str:
        """What tells its row from others."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def assignments(self) -> tuple[str, ...]:
        """All that is set, the user's own last."""
        of_policy = ("policy.type=expert",) if self.policy == EXPERT else (
            "policy.type=learned", f"policy.model={self.policy}"
        )  # fmt: skip
        width, height = self.size
        return (
            "record.images=false", "record.picture_strip=false", "detector.threads=1", *of_policy,
            f"rig.cameras.0.source.options.size_px=[{width}, {height}]", *self.sets,
        )  # fmt: skip


@functools.lru_cache(maxsize=64)
def configuration(episode_without_seed: Episode) -> Config:
    """The resolved configuration of an episode; its seed is left out.

    Raises:
        BadInput: If something in it cannot be used.
    """
    episode = episode_without_seed
    return resolve(load_config("sim_pick_place", list(episode.assignments), episode.profile))


def config_of(episode: Episode) -> Config:
    """The resolved configuration of an episode."""
    same = Episode(episode.policy, 0, episode.sets, episode.profile, episode.size)
    return configuration(same).model_copy(update={"seed": episode.seed, "episodes": 1})


def of_model(episode: Episode) -> Episode:
    """The episode with its learned policy's file found.

    Raises:
        BadInput: If its configuration cannot be used.
    """
    picture_size(episode.size, "wrist")
    return replace(episode, model_sha256=config_of(episode).policy.sha256)


class Truth:
    """What really happened to the cube, looked at once per control period; no stage sees it."""

    def __init__(self) -> None:
        self.closings = 0
        self.lifted = self.touching = self.fell = self.seen = False
        self._open = True

    def look(self, world: Any) -> None:
        """Look at the world as it is."""
        opening = world.gripper_opening
        self.closings += self._open and opening < CLOSING
        self._open = opening > OPEN or (self._open and opening >= CLOSING)
        high = world.cube_position_world_m[2] > CUBE_EDGE_M / 2 + LIFTED_M
        self.touching = world.cube_touches_gripper()
        self.lifted = self.lifted or bool(high and self.touching)
        self.fell = world.cube_fell()

    def cause(self, *, success: bool, stopped: bool) -> str | None:
        """Why an episode failed; None if it did not."""
        if success:
            return None
        if stopped:
            return "safe stop"
        if self.lifted:
            return "timed out" if self.touching else "dropped"
        if self.fell:
            return "knocked off"
        if self.closings:
            return "missed grasp"
        return "timed out" if self.seen else "never saw"


@contextmanager
def watched(motion: Motion, truth: Truth) -> Iterator[None]:
    """While an episode runs, look at its control ticks, at what its policy sees and at its world."""
    target: list[tuple[Any, Any] | None] = [None]
    chunks = {"number": -1, "newest": None}
    control, step, observe = ControlPath.__call__, JointTrajectory.step, graph.observe

    class WatchedCell(SimCell):
        def finished(self, watcher: Any) -> Callable[[], bool]:
            check = super().finished(watcher)

            def look() -> bool:
                truth.look(self.world)
                return check()

            return look

    def watched_step(self: JointTrajectory, target_q: Any, target_v: Any, dt: float) -> Any:
        target[0] = (target_q, target_v)
        return step(self, target_q, target_v, dt)

    def watched_control(self: ControlPath, now_ns: int, chunk: Any, state: Any, *rest: Any, **named: Any) -> Command:
        target[0] = None
        command = control(self, now_ns, chunk, state, *rest, **named)
        if chunk is not chunks["newest"]:
            chunks["newest"] = chunk
            chunks["number"] += 1
        motion.ticks.append(
            tick_of(
                now_ns, -1 if chunk is None else chunks["number"], target[0], motion.period_ns * 1e-9,
                command.setpoint.joints, state.joint_positions_rad, state.stamp_ns,
            )
        )  # fmt: skip
        return command

    def watched_observe(*given: Any, **named: Any) -> Any:
        seen = observe(*given, **named)
        truth.seen = truth.seen or seen.sees_object
        return seen

    with (
        mock.patch.object(virtual_run, "SimCell", WatchedCell),
        mock.patch.object(ControlPath, "__call__", watched_control),
        mock.patch.object(JointTrajectory, "step", watched_step),
        mock.patch.object(graph, "observe", watched_observe),
    ):
        yield


def experienced_schedule(config: Config) -> ChunkSchedule:
    """A schedule that knows how long planning takes, as in a run that has been going on for a while."""
    schedule, durations = build_schedule(config), Durations(config.profile, seed=config.seed + 1)
    for _ in range(EXPERIENCE):
        schedule.planned(durations(Stage.PLAN, 0))
    return schedule


def play(episode: Episode) -> Row | None:
    """Run one episode; None if it was interrupted.

    Raises:
        EyehandError: If the configuration cannot be used.
    """
    config = config_of(episode)
    motion = Motion(round(1e9 / config.control.rate_hz), np.array(follower_jerk(config)))
    truth = Truth()
    cpu_s = time.process_time()
    folder = Path(tempfile.mkdtemp(prefix="eyehand-benchmark-"))
    try:
        with watched(motion, truth), mock.patch.object(virtual_run, "build_schedule", experienced_schedule):
            result, account = virtual_run.run(config, folder / "run", lambda _: None)
        detail = json.loads((folder / "run" / "summary.json").read_text(encoding="utf-8"))["episodes_detail"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if result.interrupted or not detail:
        return None
    success, stopped = bool(detail[0]["success"]), result.safe_stop is not None
    return {
        **asdict(episode),
        "key": episode.key,
        "success": success,
        "cause": truth.cause(success=success, stopped=stopped),
        "safe_stop": result.safe_stop,
        "simulated_s": detail[0]["simulated_s"],
        "attempts": truth.closings,
        "starved_ticks": account.tally.starved_ticks,
        "frames": result.frames,
        "dropped_frames": result.dropped_frames,
        "plans": account.tally.stages()["plan"].n,
        **motion.figures(),
        "replay_hash": result.replay_hash,
        "code_sha256": code_sha256(),
        "cpu_s": round(time.process_time() - cpu_s, 2),
    }


def follower_jerk(config: Config) -> Sequence[float]:
    """Jerk that the trajectory follower keeps to, of each joint [rad/s^3]."""
    return governor_limits(config).joints.scaled(config.control.limit_scale).jerk_rad_s3


class Results:
    """A file of rows that is added to: an episode whose row is there is not played again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                row = json.loads(line)
                self.rows[row["key"]] = row
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                if number == text.count("\n") + 1:  # a line that was cut off when the run was killed
                    break
                raise BadInput(
                    f"{path}, line {number}: no row of a benchmark ({error!r}); name another --out"
                ) from error
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            path.write_text(whole, encoding="utf-8")

    def add(self, row: Row) -> None:
        """Write a row."""
        self.rows[row["key"]] = row
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def missing(self, episodes: Iterable[Episode]) -> list[Episode]:
        """Those whose row is not there yet, in their order."""
        return [episode for episode in episodes if episode.key not in self.rows]

    def of(self, episodes: Iterable[Episode]) -> list[Row]:
        """Rows of those that have one."""
        return [self.rows[episode.key] for episode in episodes if episode.key in self.rows]


def play_all(episodes: Sequence[Episode], results: Results, jobs: int, say: Say) -> None:
    """Play what is missing, in processes of their own; rows are written as they come.

    Raises:
        EyehandError: If a configuration cannot be used.
        KeyboardInterrupt: If it was interrupted; what was played is kept.
    """
    todo = results.missing(episodes)
    if not todo:
        return
    say(f"{len(todo)} episodes to play, {len(episodes) - len(todo)} are in {results.path}")
    os.environ.setdefault("LP_NUM_THREADS", "0")  # software OpenGL renders in the thread that asks: one core a process
    began, played = time.monotonic(), 0
    spawn = multiprocessing.get_context("spawn")
    # Ctrl-C reaches all processes: one that plays ends its episode, one that waits does nothing
    with ProcessPoolExecutor(
        min(jobs, len(todo)), spawn, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        ahead: set[Future[Row | None]] = set()
        rest = iter(todo)
        try:
            while True:
                ahead |= {pool.submit(play, episode) for episode in itertools.islice(rest, 2 * jobs - len(ahead))}
                if not ahead:
                    return
                done, ahead = wait(ahead, return_when=FIRST_COMPLETED)
                for row in [future.result() for future in done]:
                    if row is None:
                        raise KeyboardInterrupt
                    results.add(row)
                    played += 1
                    left_s = (time.monotonic() - began) / played * (len(todo) - played)
                    outcome = "success" if row["success"] else row["cause"]
                    what = " ".join(map(str, row["name"]))
                    say(
                        f"{played}/{len(todo)} {what}, seed {row['seed']}: {outcome}, {row['simulated_s']:.1f} s "
                        f"simulated, {row['cpu_s']:.0f} s here; {left_s / 60:.0f} min left"
                    )
        finally:
            pool.shutdown(cancel_futures=True)


def add_options(parser: argparse.ArgumentParser, seed: int, out: str) -> None:
    """What every benchmark of episodes is told.

    Args:
        parser: Its parser.
        seed: Usual seed of the first episode.
        out: Usual name of the results file.
    """
    parser.add_argument("--seed", type=at_least(0), default=seed, metavar="N", help="of the first (%(default)s)")
    parser.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="processes (%(default)s)")
    parser.add_argument("--profile", default="orin_agx", metavar="NAME", help="latency profile (%(default)s)")
    parser.add_argument("--set", action="append", default=[], dest="sets", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="FILE", help="results, added to (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the object alone")


def played(episodes: Sequence[Episode], options: argparse.Namespace) -> list[Row]:
    """The rows of all episodes; those that are not in the results file are played.

    Args:
        episodes: In the order of the rows.
        options: As `add_options` has them.
    """
    episodes = [of_model(episode) for episode in episodes]
    results = Results(options.out)
    play_all(episodes, results, options.jobs, lambda text: print(text, file=sys.stderr, flush=True))
    return results.of(episodes)


def told(main: Callable[[], int]) -> int:
    """Run a benchmark's main; a user's mistake is a sentence, an interruption keeps what there is."""
    try:
        return main()
    except EyehandError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: the same command goes on from here\n")
        return 130


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of what there is."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None


def most(values: Iterable[float | None]) -> float | None:
    """Maximum of what there is."""
    return max((value for value in values if value is not None), default=None)
