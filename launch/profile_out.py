"""A run's own durations as a latency profile: what one machine took, for the virtual clock of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from launch.config import to_yaml
from launch.config.profile import FALLBACK, MAX_MS, DelayConfig, ProfileConfig
from launch.ledger import REPORTED, Outcome, Rows, Stage

Int64 = npt.NDArray[np.int64]
# Every whole percent, so that the p99, which budgets are written in, is kept as it is. Above it a draw lies on the line
# from the p99 to the maximum: longer rather than shorter than what was measured.
QUANTILES = 101


def profile_of(
    rows: Rows, name: str, *, virtual: bool = False, modelled: bool = False, origin: str = "a recorded run"
) -> ProfileConfig:
    """The durations in a ledger as an empirical profile.

    Activations that failed, or found nothing to work on, are left out. A stage that never ran is left out of the
    profile, which says so.

    Args:
        rows: The ledger.
        name: Name of the profile.
        virtual: Whether the run's clock was virtual. Then taking a frame was rendering it, at no cost in the run's
            time, and `capture` gets what was modelled.
        modelled: Take what the run's clock saw in place of what the machine took.
        origin: Where the rows are from, for the profile's `source`.

    Raises:
        BadInput: If no stage ran.
    """
    stages: dict[str, DelayConfig] = {}
    for label, column, durations_ns in _durations(rows, virtual=virtual, modelled=modelled):
        stages[label] = _delay(durations_ns, f"{len(durations_ns)} activations, {column}")
    if not stages:
        raise BadInput(f"profile {name}: none of the {len(rows)} rows is a stage that ran; give a run that got frames")
    absent = [stage.label for stage in REPORTED if stage.label not in stages]
    source = origin + (f"; in it ran no {', '.join(absent)}" if absent else "")
    return ProfileConfig(name=name, source=source, stages=stages)


def write_profile(rows: Rows, path: Path, *, virtual: bool, origin: str, modelled: bool = False) -> None:
    """Write the durations in a ledger as a profile that `--profile` takes; its name is the file's.

    Args:
        rows: The ledger.
        path: The file.
        virtual: As for `profile_of`.
        origin: Where the rows are from.
        modelled: As for `profile_of`.

    Raises:
        BadInput: If no stage ran.
    """
    profile = profile_of(rows, path.stem, virtual=virtual, modelled=modelled, origin=origin)
    comment = f"What each stage took in {origin}. To run on the virtual clock at this pace: --profile {path.name}"
    path.write_text(profile_text(profile, comment), encoding="utf-8")


def profile_text(profile: ProfileConfig, comment: str = "") -> str:
    """A profile as a file: a comment, then YAML that `load_profile` reads back to an equal profile."""
    return "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines()) + to_yaml(profile)


def _durations(rows: Rows, *, virtual: bool, modelled: bool) -> Iterator[tuple[str, str, Int64]]:
    """Name in the profile, how it was found, and durations [ns] of each stage that ran."""
    ran = rows[(rows["outcome"] != Outcome.ERROR) & (rows["outcome"] != Outcome.DROPPED)]
    for stage in REPORTED:
        of_stage = ran[ran["stage"] == stage]
        column = "modelled" if modelled or (virtual and stage == Stage.CAPTURE) else "measured"
        if stage == Stage.DETECT:
            smaller = of_stage["engine"] != 0
            parts = [(stage.label, of_stage[~smaller]), (FALLBACK, of_stage[smaller])]
        else:
            parts = [(stage.label, of_stage)]
        for label, part in parts:
            if len(part):
                yield label, column, part[f"{column}_ns"]


def _delay(durations_ns: Int64, source: str) -> DelayConfig:
    """An empirical distribution to the microsecond; a constant if there is nothing else in it."""
    probabilities = np.linspace(0.0, 1.0, min(len(durations_ns), QUANTILES))
    exact_ms = np.quantile(durations_ns, probabilities) / 1e6
    values = np.clip(exact_ms, 0.0, MAX_MS).round(3).tolist()
    if values[0] == values[-1]:
        return DelayConfig(constant_ms=values[0], source=source)
    return DelayConfig(empirical_ms=tuple(values), source=source)
