"""The training loop: batches in, checkpoints, figures and curves out. Resumed, it gives the same bytes on a CPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.errors import BadInput
from geometry.types import IntArray
from policy.spec import PolicySpec
from policy.training import checkpoints
from policy.training.chunks import Batch, ChunkSampler, split
from policy.training.demonstrations import Demonstrations, Floats
from policy.training.figures import Figures
from policy.training.judge import held_out_error
from policy.training.lerobot_policy import check_device, load_lerobot, make_policy
from policy.training.options import PolicyTraining
from policy.training.pictures import Pictures
from policy.training.statistics import statistics

CLIP = 10.0  # largest norm of the gradient, LeRobot's own for its policies
OPTIONS = "training.json"
REPORTS = 200  # lines of losses that a whole training writes, about


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave.

    Attributes:
        checkpoint: Folder that LeRobot's `from_pretrained` loads.
        steps: Batches learnt from.
        parameters: Weights of the policy.
        train: Last losses, in normalised actions.
        held_out: Last errors on held-out episodes, by case and unit; empty without held-out episodes.
        seconds: Time that this run took [s].
    """

    checkpoint: Path
    steps: int
    parameters: int
    train: dict[str, float]
    held_out: dict[str, dict[str, float]]
    seconds: float


def train(
    training: PolicyTraining,
    data: Demonstrations,
    spec: PolicySpec,
    on_step: Callable[[int, Mapping[str, float]], None] = lambda _step, _losses: None,
) -> Trained:
    """Train a policy, or go on where `training.out` has a checkpoint.

    Everything random in a step follows from the seed and the step's number, so a checkpoint holds no generator.

    Args:
        training: How to train.
        data: Demonstrations.
        spec: What the policy reads and writes.
        on_step: Told each step and its losses.

    Raises:
        BadInput: If the demonstrations, the options or the checkpoint cannot be used.
        Missing: If torch or LeRobot cannot be imported.
    """
    torch = load_lerobot()
    check_device(torch, training.device)
    torch.set_num_threads(training.threads)
    begun = time.monotonic()
    learn, apart = split(data, training.held_out, training.seed)
    stats = {**statistics(data, training.prefix)}
    pictures = Pictures(data, training.workers) if data.images else None
    if pictures is not None:
        stats.update(pictures.statistics())
    _seed(torch, training.seed, 0)
    policy, preprocess, postprocess = make_policy(training, data, stats)
    optimizer = policy.config.get_optimizer_preset().build(policy.get_optim_params())
    rates = [group["lr"] for group in optimizer.param_groups]
    start = _resume(training, policy, optimizer)
    sampler = ChunkSampler(
        data,
        learn,
        training.chunk_size,
        training.prefix,
        training.state_noise,
        training.environment_noise,
        training.prefix_noise,
        training.seed,
    )
    training.out.mkdir(parents=True, exist_ok=True)
    (training.out / OPTIONS).write_text(training.to_json(data.fingerprint))
    figures = Figures(training.out, start)
    seen = None if pictures is None else iter(pictures.of_steps(sampler, range(start, training.steps), training))

    def predict(batch: Batch, rows: IntArray) -> Floats:
        if pictures is not None:
            batch = {**batch, **pictures.of_rows(rows)}
        return _predict(torch, policy, preprocess, postprocess, batch)

    losses: dict[str, float] = {}
    errors: dict[str, dict[str, float]] = figures.last_errors
    window: list[dict[str, float]] = []
    for step in range(start, training.steps):
        _seed(torch, training.seed, step + 1)
        batch = sampler.batch(step, training.batch_size)
        if seen is not None:
            batch.update(next(seen))
        share = rate_share(step, training.steps, training.warmup)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * share
        window.append(_step(torch, policy, optimizer, preprocess(_tensors(torch, batch, policy.name))))
        done = step + 1
        if not math.isfinite(window[-1]["loss"]):
            raise BadInput(f"step {done}: the loss is not finite; lower --learning-rate {training.learning_rate}")
        if done % max(1, training.steps // REPORTS) == 0 or done == training.steps:
            losses = {name: float(np.mean([one[name] for one in window])) for name in window[0]}
            figures.train(done, losses, rates[0] * share)
            window.clear()
        on_step(done, losses or window[-1])
        if done % training.save_every == 0 or done == training.steps:
            if len(apart):
                errors = held_out_error(predict, data, apart, training.chunk_size, training.prefix)
                figures.held_out(done, errors)
            checkpoints.save(training.out, done, policy, (preprocess, postprocess), optimizer, spec)
            figures.draw()
    model = training.out / "checkpoint"
    parameters = sum(weights.numel() for weights in policy.parameters())
    return Trained(model, max(start, training.steps), parameters, losses, errors, time.monotonic() - begun)


def rate_share(step: int, steps: int, warmup: int) -> float:
    """Learning rate as a part of its largest: a linear rise, then half a cosine down to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _resume(training: PolicyTraining, policy: Any, optimizer: Any) -> int:
    """Load the newest checkpoint, if there is one; the step to go on from."""
    found = checkpoints.newest(training.out)
    if found is None:
        return 0
    step, folder = found
    if step > training.steps:
        raise BadInput(f"--steps {training.steps}: {folder} has learnt from {step} already; give more")
    checkpoints.load(folder, policy, optimizer)
    return step


def _step(torch: Any, policy: Any, optimizer: Any, batch: dict[str, Any]) -> dict[str, float]:
    """Learn from one batch; its losses."""
    policy.train()
    loss, parts = policy.forward(batch)
    optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(policy.parameters(), CLIP)
    optimizer.step()
    return {"loss": loss.item(), **(parts or {}), "gradient": float(norm)}


def _predict(torch: Any, policy: Any, preprocess: Any, postprocess: Any, batch: Batch) -> Floats:
    seen = {name: value for name, value in batch.items() if name.startswith("observation.")}
    inputs = preprocess(_tensors(torch, seen, policy.name))
    inputs = {name: value for name, value in inputs.items() if name.startswith("observation.")}
    with torch.no_grad():
        policy.eval()
        if policy.name == "act":
            chunk = policy.predict_action_chunk(inputs)
        else:
            if policy.config.image_features:
                inputs["observation.images"] = torch.stack([inputs[name] for name in policy.config.image_features], -4)
            chunk = policy.diffusion.generate_actions(inputs)
    out: Floats = postprocess(chunk).numpy()
    return out


def _tensors(torch: Any, batch: Mapping[str, Any], policy: str) -> dict[str, Any]:
    """As the policy wants them: a Diffusion Policy sees a history, here of one frame."""
    tensors = {name: torch.as_tensor(value) for name, value in batch.items()}
    if policy == "act":
        return tensors
    return {name: value[:, None] if name.startswith("observation.") else value for name, value in tensors.items()}


def _seed(torch: Any, seed: int, step: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence((seed, 3, step)).generate_state(1)[0]))
