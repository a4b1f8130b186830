"""One run from start to end: wiring, recording, episodes, summary."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.errors import BadInput
from launch.config import to_yaml
from launch.machine import installed
from launch.report import RunAccount

Progress = Callable[[str], None]
PACKAGES = (
    "eyehand", "numpy", "scipy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "mujoco", "ruckig",
    "rosbags",
)  # fmt: skip


@dataclass(slots=True)
class RunResult:
    """What a run or a replay came to."""

    run_dir: Path | None
    episodes: int
    successes: int | None
    frames: int
    dropped_frames: int
    commands: int
    replay_hash: str | None  # None where nothing was executed
    notes: dict[str, int] = field(default_factory=dict)
    interrupted: bool = False
    safe_stop: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        rate = None if self.successes is None or not self.episodes else self.successes / self.episodes
        return {
            "episodes": self.episodes,
            "successes": self.successes,
            "success_rate": rate,
            "run_dir": None if self.run_dir is None else str(self.run_dir),
            "frames": self.frames,
            "dropped_frames": self.dropped_frames,
            "commands": self.commands,
            "replay_hash": self.replay_hash,
            "safe_stop": self.safe_stop,
            **self.extra,
        }


def new_run_dir(out: str | None, name: str) -> Path:
    """The folder of a new run: `out`, or `runs/<name>-<time>`. It must not hold anything yet.

    Raises:
        BadInput: If it does, naming it.
    """
    if out is None:
        stamp = dt.datetime.now(dt.timezone.utc).strftime("%Y%m%d-%H%M%S")
        base = Path("runs") / f"{name}-{stamp}"
        path, again = base, 1
        while path.exists():
            again += 1
            path = base.with_name(f"{base.name}-{again}")
    else:
        path = Path(out)
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            raise BadInput(f"--out {out}: exists and is not an empty folder; name a new one")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def finish_run(run_dir: Path, result: RunResult, account: RunAccount, detail: Sequence[dict[str, Any]] = ()) -> None:
    """Write the resolved configuration and the summary beside the bag."""
    config = account.config
    (run_dir / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    summary = {
        **result.to_dict(),
        "clock": config.clock,
        "profile": config.profile.name,
        "latency": account.document(),
        "latency_modelled": account.document(modelled=True) if config.clock == "virtual" else None,
        "notes": result.notes,
        "episodes_detail": list(detail),
        "peak_memory_mb": peak_memory_mb(),
        "versions": versions(),
    }
    (run_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def peak_memory_mb() -> float:
    """Peak resident memory of this process [MB]."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def versions() -> dict[str, str]:
    """Versions of what takes part in a run."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "os": sys.platform,
        **installed(*PACKAGES),
    }
