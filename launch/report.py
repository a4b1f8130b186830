"""The latency report as plain data: what `--json` prints, what the page shows, and what two runs are compared by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput
from launch.bag import BagReader
from launch.config import Config
from launch.contract import Contract, judge
from launch.ledger import REPORTED, ROW, Rows, Rung
from launch.recording import END, FACTS, End, is_run, ledger_blocks, run_config
from launch.tally import Decision, Tally

PATH_FIGURES = ("reaction", "command_age", "control_period", "control_lateness")


@dataclass(slots=True)
class RunAccount:
    """What a run says of itself.

    Attributes:
        config: Its configuration.
        tally: Its figures.
        lost_rows: Rows and frames that could not be recorded.
        facts: What it recorded of its machine and its engines.
    """

    config: Config
    tally: Tally
    lost_rows: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """Whether it kept its budget."""
        return judge(self.tally, self.lost_rows)

    def document(self, *, modelled: bool = False) -> dict[str, Any]:
        """The report as plain data; `modelled`: the stages' durations on the run's clock, not this machine's."""
        return _document(self, modelled)


def read_account(path: Path) -> tuple[RunAccount, Rows]:
    """Read a recorded run: its account and its whole ledger.

    Raises:
        BadInput: If there is no run.
    """
    with BagReader(path) as reader:
        if not is_run(reader):
            raise BadInput(f"{path}: no run in it, a bag of images; a report needs a run folder of `eyehand run`")
        config = run_config(reader, path)
        tally = Tally.of(config)
        blocks = list(ledger_blocks(reader))
        for rows in blocks:
            tally.add(rows)
        account = RunAccount(config, tally)
        # a run that was killed lost what it had not written yet: nobody knows how much
        account.lost_rows = End.of(reader.text(END)).lost if END in reader.texts else 1
        if FACTS in reader.texts:
            account.facts = json.loads(reader.text(FACTS))
    return account, np.concatenate(blocks) if blocks else np.empty(0, ROW)


def _document(account: RunAccount, modelled: bool) -> dict[str, Any]:
    tally, config, facts = account.tally, account.config, account.facts
    stages = {}
    for stage in REPORTED:
        wait = tally.wait(stage.label).summary()
        stages[stage.label] = {
            **_figures(tally, stage.label, modelled),
            "wait": {"n": wait.n, "p50_ms": wait.p50_ms, "p99_ms": wait.p99_ms, "max_ms": wait.max_ms},
        }
    return {
        "name": config.name,
        "clock": config.clock,
        "profile": config.profile.name,
        "durations": "modelled" if modelled else "measured",
        "stages": stages,
        **{name: _figures(tally, name, modelled) for name in PATH_FIGURES},
        "frames": tally.frames,
        "dropped_frames": tally.dropped_frames,
        "commands": tally.commands,
        "episodes": tally.episodes,
        "lost_rows": account.lost_rows,
        "fenced_results": tally.fenced,
        "stale_commands_sent": tally.stale_commands_sent,
        "starved_ticks": tally.starved_ticks,
        "ladder": {
            "rungs": {rung.name.lower(): tally.rungs[rung] for rung in Rung},
            "decisions": [_decision(decision) for decision in tally.decisions],
            "latched": tally.latched is not None,
        },
        "contract": account.contract.to_dict(),
        "machine": facts.get("machine"),
        "engines": facts.get("engines", []),
    }


def _figures(tally: Tally, name: str, modelled: bool) -> dict[str, Any]:
    """One row of the report, with the row that is corrected for coordinated omission."""
    corrected = tally.corrected(name, modelled=modelled)
    return {
        **tally.series(name, modelled=modelled).summary().to_dict(),
        "corrected": corrected.to_dict() if corrected is not None else None,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "t_s": decision.now_ns * 1e-9,
        "rung": decision.rung.name.lower(),
        "reason": decision.reason.name.lower(),
        "text": decision.reason.sentence,
        "stage": decision.stage,
        "value_ms": decision.value_ns * 1e-6,
        "limit_ms": decision.limit_ns * 1e-6,
        "slack_ms": decision.slack_ns * 1e-6,
    }
