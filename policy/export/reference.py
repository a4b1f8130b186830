"""LeRobot's own policy with its own processors: what is exported, and what the exported file is held against."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from deploy.backend import Tensor
from deploy.errors import BadInput, require
from policy.export.checkpoint import Checkpoint
from policy.features import ACTION
from policy.training.lerobot_policy import EXTRA, load_lerobot

MOST_DENOISING_STEPS = 100  # each is a copy of the network in the graph


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A loaded checkpoint.

    Attributes:
        checkpoint: What it was loaded from.
        policy: LeRobot's policy, on the CPU.
        before: LeRobot's preprocessor.
        after: LeRobot's postprocessor.
        noise_shape: Of the noise that a diffusion policy starts from, (1, horizon, 7); None for another.
    """

    checkpoint: Checkpoint
    policy: Any
    before: Any
    after: Any
    noise_shape: tuple[int, int, int] | None

    @property
    def chunk_size(self) -> int:
        """Actions that the policy gives at once."""
        config = self.policy.config
        return int(config.n_action_steps if self.checkpoint.kind == "diffusion" else config.chunk_size)

    def statistics(self) -> dict[str, dict[str, Tensor]]:
        """What LeRobot normalises by, by feature: `mean`, `std`, `min`, `max`, ..."""
        found: dict[str, dict[str, Tensor]] = {}
        for pipeline in (self.before, self.after):
            for step in pipeline.steps:
                for name, values in (getattr(step, "stats", None) or {}).items():
                    found.setdefault(name, {key: np.asarray(value, np.float32) for key, value in values.items()})
        return found

    def predict(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """What LeRobot answers: preprocessor, `predict_action_chunk`, postprocessor.

        Args:
            inputs: As the exported file takes them, with `noise` for a diffusion policy.

        Returns:
            Shape (1, chunk_size, 7), float32.
        """
        torch = require("torch", EXTRA)
        given = {name: torch.from_numpy(values) for name, values in inputs.items()}
        noise = given.pop("noise", None)
        with torch.no_grad():
            batch = self.before(given)
            if noise is None:
                actions = self.policy.predict_action_chunk(batch)
            else:  # it fills its queues in select_action alone, which hands a chunk out action by action
                self.policy.reset()
                seen = {name: batch[name] for name in self.checkpoint.inputs}
                steps = [self.policy.select_action(dict(seen), noise=noise) for _ in range(self.chunk_size)]
                actions = torch.stack(steps, dim=1)
            result: Tensor = self.after(actions).numpy().astype(np.float32)
        return result


def load(checkpoint: Checkpoint, denoising_steps: int | None = None) -> Reference:
    """Load a checkpoint on the CPU.

    Args:
        checkpoint: One that was looked at.
        denoising_steps: Steps of DDIM for a diffusion policy, whatever it was configured with; None takes its own.

    Raises:
        BadInput: If LeRobot cannot load it, its weights do not fit its configuration, or it draws fresh noise in each
            of its steps (DDPM).
        Missing: If torch or LeRobot is not installed.
    """
    torch = load_lerobot()
    configs = require("lerobot.configs.policies", EXTRA)
    factory = require("lerobot.policies.factory", EXTRA)
    torch.set_num_threads(1)  # so that one machine gives one answer
    folder = str(checkpoint.folder)
    with quiet():
        try:
            config = configs.PreTrainedConfig.from_pretrained(folder, local_files_only=True)
            config.device = "cpu"
            config.pretrained_backbone_weights = None  # they are in the checkpoint; LeRobot would fetch them
            _set_sampler(checkpoint, config, denoising_steps)
            kind = factory.get_policy_class(checkpoint.kind)
            policy = kind.from_pretrained(folder, config=config, strict=True, local_files_only=True)
            before, after = factory.make_pre_post_processors(
                config, pretrained_path=folder,
                preprocessor_overrides=_on_cpu(checkpoint.before), postprocessor_overrides=_on_cpu(checkpoint.after),
            )  # fmt: skip
        except BadInput:
            raise
        except Exception as error:  # draccus, safetensors, torch and LeRobot each have their own
            raise BadInput(
                f"LeRobot {importlib.metadata.version('lerobot')} cannot load {folder} ({_first_line(error)})"
            ) from error
    policy.eval()
    if checkpoint.kind != "diffusion":
        return Reference(checkpoint, policy, before, after, None)
    noise = (1, int(config.horizon), int(config.output_features[ACTION].shape[0]))
    return Reference(checkpoint, policy, before, after, noise)


def versions() -> dict[str, str]:
    """Of what makes the file."""
    return {name: importlib.metadata.version(name) for name in ("eyehand", "lerobot", "torch", "onnx")}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what LeRobot prints and torch warns of out of a command's output."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _on_cpu(steps: tuple[tuple[str, dict[str, Any]], ...]) -> dict[str, Any]:
    """Settings of a processor instead of those that it was saved with, for the steps that it has."""
    return {name: {"device": "cpu"} for name, _ in steps if name == "device_processor"}


def _set_sampler(checkpoint: Checkpoint, config: Any, steps: int | None) -> None:
    if checkpoint.kind != "diffusion":
        if steps is not None:
            raise BadInput(f"--denoising-steps {steps}: {checkpoint.folder} is a policy of kind {checkpoint.kind}")
        return
    config.compile_model = False
    if steps is not None:
        config.noise_scheduler_type, config.num_inference_steps = "DDIM", steps
    if config.noise_scheduler_type != "DDIM":
        raise BadInput(
            f"{checkpoint.folder} samples with {config.noise_scheduler_type}, which draws noise in each of its "
            f"{config.num_train_timesteps} steps: give --denoising-steps 10, to sample the same network with DDIM"
        )
    found = config.num_inference_steps or config.num_train_timesteps
    if not 1 <= found <= min(MOST_DENOISING_STEPS, config.num_train_timesteps):
        raise BadInput(
            f"{found} denoising steps: expected 1..{min(MOST_DENOISING_STEPS, config.num_train_timesteps)}; give "
            "--denoising-steps 10"
        )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
