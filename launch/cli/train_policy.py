"""`eyehand train policy`: demonstrations in, a checkpoint in LeRobot's layout out, with its curves."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInput
from deploy.new_folder import check_new
from launch.cli.say import progress, result

if TYPE_CHECKING:
    from policy.training.options import PolicyTraining

_FREE = ("steps", "save_every", "threads", "workers", "device", "dataset")  # may differ where a training goes on


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from policy.training.demonstrations import read_demonstrations
    from policy.training.describe import describe
    from policy.training.lerobot_policy import load_lerobot
    from policy.training.loop import OPTIONS, train

    data = read_demonstrations(Path(options.dataset))
    spec = describe(data, options.policy, options.chunk_size, options.prefix, options.action_space)
    training = _training(options, spec.prefix)
    if options.resume and (training.out / OPTIONS).exists():
        _check_same(training, data.fingerprint)
    else:
        check_new(training.out)
    load_lerobot()
    progress(
        f"{training.policy} on {len(data.episodes)} episodes, {len(data.episode)} frames of {data.folder}: "
        f"{spec.action_space}, chunks of {spec.chunk_size}"
        + (f", up to {spec.prefix} of them frozen" if spec.prefix else "")
    )
    with _bar(training.steps) as on_step:
        trained = train(training, data, spec, on_step)
    for case, errors in trained.held_out.items():
        progress(f"held-out error, {case}: " + ", ".join(f"{unit} {value:.4g}" for unit, value in errors.items()))
    progress(f"checkpoint: {trained.checkpoint} (eyehand export policy {training.out} --out DIR)")
    if options.json:
        result(
            {
                "checkpoint": str(trained.checkpoint),
                "steps": trained.steps,
                "parameters": trained.parameters,
                "train": trained.train,
                "held_out": trained.held_out,
                "seconds": round(trained.seconds, 1),
            }
        )
    return 0


def _training(options: argparse.Namespace, prefix: int) -> PolicyTraining:
    from policy.training.options import (
        ENVIRONMENT_NOISE,
        LEARNING_RATES,
        PREFIX_NOISE,
        STATE_NOISE,
        WIDTHS,
        PolicyTraining,
    )

    rate = LEARNING_RATES[options.policy] if options.learning_rate is None else options.learning_rate
    if not 0.0 < rate < 1.0:
        raise BadInput(f"--learning-rate {rate}: expected more than 0 and less than 1, such as 5e-4")
    return PolicyTraining(
        dataset=Path(options.dataset),
        out=Path(options.out),
        policy=options.policy,
        steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=rate,
        warmup=options.warmup,
        seed=options.seed,
        prefix=prefix,
        chunk_size=options.chunk_size,
        dim=options.dim or WIDTHS[options.policy],
        held_out=options.held_out,
        state_noise=_by_unit("--state-noise", options.state_noise, STATE_NOISE),
        environment_noise=_by_unit("--environment-noise", options.environment_noise, ENVIRONMENT_NOISE),
        prefix_noise=_by_unit("--prefix-noise", options.prefix_noise, PREFIX_NOISE),
        save_every=options.save_every,
        threads=options.threads or len(os.sched_getaffinity(0)),
        device=options.device,
        workers=options.workers,
        overrides=dict(_assignment(text) for text in options.assignments),
    )


def _by_unit(option: str, text: str | None, usual: Mapping[str, float]) -> dict[str, float]:
    """Spreads by unit from `rad=0.01,m=0.002`; a single number scales the usual ones."""
    if text is None:
        return dict(usual)
    try:
        if "=" not in text:
            spreads = {unit: float(text) * value for unit, value in usual.items()}
        else:
            parts = [part.partition("=") for part in text.split(",")]
            spreads = {**usual, **{unit.strip(): float(value) for unit, _, value in parts}}
    except ValueError:
        spreads = {}
    if not spreads or set(spreads) - set(usual) or not all(0.0 <= value < 10.0 for value in spreads.values()):
        raise BadInput(f"{option} {text}: expected a factor, or spreads >= 0 of {', '.join(usual)} such as rad=0.01")
    return spreads


def _assignment(text: str) -> tuple[str, Any]:
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {text}: expected KEY=VALUE, a field of LeRobot's configuration such as kl_weight=5")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {text}: the value is not YAML ({error})") from error


def _check_same(training: PolicyTraining, fingerprint: str) -> None:
    """Refuse to go on with other options, or other demonstrations, than the training began with."""
    from policy.training.loop import OPTIONS

    path = training.out / OPTIONS
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"--resume: {path} cannot be read ({error}); give the --out of a training") from error
    now = json.loads(training.to_json(fingerprint))
    if before.get("fingerprint") != fingerprint:
        raise BadInput(f"--resume: {training.dataset} is not what {training.out} has learnt from; train in a new --out")
    for name in sorted(set(now) - set(_FREE)):
        if before.get(name) != now[name]:
            raise BadInput(
                f"--resume: {name} was {before.get(name)!r}, now {now[name]!r}; give the same, or a new --out"
            )


@contextmanager
def _bar(steps: int) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """A progress bar on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=steps, loss="")

        def on_step(step: int, losses: Mapping[str, float]) -> None:
            bar.update(task, completed=step, loss=f"loss {losses['loss']:.4f}")

        yield on_step
