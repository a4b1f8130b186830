"""What if: a recorded run again, under another machine's timing."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.errors import BadInput
from launch import virtual_run
from launch.bag import BagReader
from launch.config import Config
from launch.config.budget import STAGES
from launch.config.load import load_profile
from launch.config.profile import MAX_MS
from launch.executor import Executor
from launch.interruption import Interruption
from launch.ledger import Rows, Rung
from launch.recorded_cell import RecordedArm, RecordedCamera, episode_spans
from launch.report import RunAccount, read_account
from launch.run_folder import RunFolder
from launch.schedulers.cameras import VirtualCamera
from launch.schedulers.profile import Durations
from launch.schedulers.virtual import VirtualScheduler
from launch.session import Progress, RunResult, new_run_dir
from launch.sources import SIMULATED
from launch.wiring import build_graph, build_schedule, resolve

_TIME = re.compile(r"^\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*(ms|s|us)?\s*$", re.IGNORECASE)
_MS: Final = {None: 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001}
# what is held side by side of each figure
_LATENCY: Final = ("n", "p50_ms", "p99_ms", "max_ms", "misses")
_COUNTS: Final = ("frames", "dropped_frames", "commands", "stale_commands_sent", "starved_ticks")


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Two reports of one run.

    Attributes:
        before: As recorded.
        after: As it would have been.
        successes: Episodes that succeeded, before and after; None where nobody knows.
        result: Of the run that was made for it.
    """

    before: RunAccount
    after: RunAccount
    successes: tuple[int | None, int | None]
    result: RunResult

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        before, after = (account.document(modelled=True) for account in (self.before, self.after))
        profile = self.after.config.profile
        return {
            "profile": profile.name,
            "add_ms": dict(profile.add_ms),
            "before": before,
            "after": after,
            "consequences": self.consequences(),
            "diff": {key: [old, new] for key, old, new in differences(before, after)},
            "success": {
                "episodes": self.result.episodes, "before": self.successes[0], "after": self.successes[1],
            },
            "run_dir": None if self.result.run_dir is None else str(self.result.run_dir),
        }  # fmt: skip

    def consequences(self) -> dict[str, int]:
        """What the timing led to: activations and reactions that missed, frames dropped, holds and safe stops."""
        tally = self.after.tally
        stages = {f"missed_{name}": figures.misses for name, figures in tally.stages(modelled=True).items()}
        return {
            **stages,
            "missed_reaction": tally.reaction.misses,
            "missed_command_age": tally.command_age.misses,
            "dropped_frames": tally.dropped_frames,
            "overruns": tally.rungs[Rung.OVERRUN],
            "engine_switches": tally.rungs[Rung.FALLBACK],
            "predicted_frames": tally.rungs[Rung.PREDICT],
            "fenced_results": tally.fenced,
            "continued": tally.rungs[Rung.CONTINUE],
            "held": tally.rungs[Rung.HOLD],
            "stopped": tally.stops,
        }


def additions_of(texts: Sequence[str]) -> dict[str, float]:
    """`detect=40ms` and the like, as milliseconds by stage.

    Raises:
        BadInput: Naming what is no stage, or no time.

    Example:
        >>> additions_of(["detect=40ms", "plan=0.2s"])
        {'detect': 40.0, 'plan': 200.0}
    """
    found: dict[str, float] = {}
    for text in texts:
        stage, sign, amount = text.partition("=")
        stage, time = stage.strip(), _TIME.match(amount)
        if not sign or time is None:
            raise BadInput(f"--add {text!r}: expected STAGE=TIME, for example detect=40ms or plan=0.2s")
        if stage not in (*STAGES, "detect_fallback"):
            raise BadInput(f"--add {text!r}: no such stage; there are {', '.join(STAGES)}, detect_fallback")
        found[stage] = found.get(stage, 0.0) + float(time[1]) * _MS[time[2].lower() if time[2] else None]
        if found[stage] > MAX_MS:
            raise BadInput(f"--add {text!r}: expected at most {MAX_MS / 1000:g} s")
        if found[stage] < 0:
            raise BadInput(f"--add {text!r}: expected a time >= 0; a faster machine needs a --profile of its own")
    return found


def what_if(path: Path, profile: str | None, additions: Sequence[str], out: str | None, progress: Progress) -> WhatIf:
    """Run a recorded run again on the virtual clock with other durations.

    A simulated run happens again, world and all. Of another one the cameras show what they saw and the arm moves as it
    moved, whatever it is sent: what the timing would have done to perception, planning and commands shows; what the arm
    would have done then does not.

    Args:
        path: The recorded run.
        profile: Name or file of the latency profile; None keeps the run's own.
        additions: `STAGE=TIME` items.
        out: Folder of the new run; None keeps none.
        progress: Told how it goes.

    Raises:
        BadInput: If something of it cannot be used.
    """
    before, rows = read_account(path)
    chosen = before.config.profile if profile is None else load_profile(profile)
    added = dict(chosen.add_ms)
    for stage, extra_ms in additions_of(additions).items():
        added[stage] = added.get(stage, 0.0) + extra_ms
    config = before.config.model_copy(
        update={
            "clock": "virtual",
            "profile": chosen.model_validate({**chosen.model_dump(exclude_unset=True), "add_ms": added}),
            "record": before.config.record.model_copy(update={"images": out is not None, "picture_strip": False}),
        }
    )
    with ExitStack() as stack:
        folder = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eyehand-what-if-"))) / "run"
            if out is None else new_run_dir(out, "what-if")
        )  # fmt: skip
        simulated = _is_simulated(config)
        if simulated:
            result, after = virtual_run.run(resolve(config), folder, progress)
        else:
            progress("not a simulated run: cameras and arm do as they did, whatever is sent")
            result, after = _run_recorded(resolve(config), path, rows, folder)
        if out is None:
            result.run_dir = None
    return WhatIf(before, after, (_recorded_successes(path), result.successes if simulated else None), result)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What two reports say differently: key, before, after."""
    flat = [_flat(document) for document in (before, after)]
    return [(key, flat[0].get(key), flat[1].get(key)) for key in flat[1] if flat[0].get(key) != flat[1].get(key)]


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    latencies = {
        **document["stages"], **{name: document[name] for name in ("reaction", "command_age", "control_lateness")}
    }  # fmt: skip
    flat = {f"{name}.{key}": figures[key] for name, figures in latencies.items() for key in _LATENCY}
    flat |= {name: document[name] for name in _COUNTS}
    flat |= {f"ladder.{rung}": count for rung, count in document["ladder"]["rungs"].items()}
    broken = [row["clause"] for row in document["contract"]["clauses"] if not row["kept"] and not row["ignored"]]
    return {**flat, "ladder.latched": document["ladder"]["latched"], "contract.broken": broken}


def _is_simulated(config: Config) -> bool:
    sources = {camera.source.type for camera in config.rig.cameras}
    return sources == {SIMULATED} and config.rig.arm is not None and config.rig.arm.type == SIMULATED


def _run_recorded(config: Config, path: Path, rows: Rows, folder_path: Path) -> tuple[RunResult, RunAccount]:
    with ExitStack() as stack:
        readers = [stack.enter_context(BagReader(path, need_images=True)) for _ in config.rig.cameras]
        cameras: list[VirtualCamera] = [
            RecordedCamera(reader, camera.name) for reader, camera in zip(readers, config.rig.cameras, strict=True)
        ]
        arm = RecordedArm(readers[0]) if config.rig.arm is not None else None
        folder = RunFolder(config, folder_path, virtual=True)
        graph = build_graph(config, open_loop=True)
        executor = Executor(graph, Durations(config.profile, seed=config.seed), folder.recorder)
        folder.tell(executor)
        scheduler = VirtualScheduler(
            executor, folder.ladder(executor, lambda _: None),
            arm.advance if arm is not None else lambda _: None, arm, cameras,
            control_period_ns=round(1e9 / config.control.rate_hz),
            schedule=build_schedule(config),
            on_rows=folder.on_rows,
        )  # fmt: skip
        interruption = stack.enter_context(Interruption())
        try:
            for index, (begin_ns, end_ns) in enumerate(episode_spans(rows)):
                scheduler.now_ns = begin_ns
                scheduler.run_episode(index, end_ns - begin_ns, lambda: False, lambda: interruption.requested)
                folder.details.append({"success": None})
        finally:
            result = folder.finish(
                executor, scheduler.now_ns, scheduler.notes, judged=False, interrupted=interruption.requested
            )
    return result, folder.account


def _recorded_successes(path: Path) -> int | None:
    try:
        found = json.loads((path / "summary.json").read_text(encoding="utf-8")).get("successes")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None
