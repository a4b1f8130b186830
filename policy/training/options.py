"""How to train a policy: one value that the command fills, the checkpoint keeps and a resumed run is held to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Largest learning rate, and width of the network, that are usual for a policy.
LEARNING_RATES: dict[str, float] = {"act": 5e-4, "diffusion": 1e-3}
WIDTHS: dict[str, int] = {"act": 128, "diffusion": 64}
# Spread of what is added to the robot's state, by unit: more than an arm errs, so that a policy goes by where the
# object is, and not by where the arm was in the demonstrations.
STATE_NOISE: dict[str, float] = {"rad": 0.02, "m": 0.01, "m/s": 0.005, "1": 0.03}
# Spread of what is added to what perception says, by unit: about as much as that errs.
ENVIRONMENT_NOISE: dict[str, float] = {"m": 0.001, "m/s": 0.003}
# Spread of how far a frozen prefix lies off the demonstration, by unit.
PREFIX_NOISE: dict[str, float] = {"rad": 0.01, "m": 0.005, "1": 0.02}
# A number that hardly varies in the demonstrations is normalised by this instead of by its spread, by unit.
FLOOR: dict[str, float] = {"rad": 0.01, "m": 0.005, "rad/s": 0.02, "m/s": 0.01, "1": 0.01}


@dataclass(frozen=True, slots=True)
class PolicyTraining:
    """How to train a policy.

    Attributes:
        dataset: Folder of a LeRobot dataset.
        out: Folder of the training.
        policy: `act` or `diffusion`.
        steps: Batches to learn from.
        batch_size: Chunks a batch.
        learning_rate: Largest of AdamW's; it rises over the warm-up and falls along a cosine to 0.
        warmup: Steps of that rise.
        seed: Of weights, split, order and noise.
        prefix: Most actions that may be frozen at the start of a chunk; 0 trains no prefix.
        chunk_size: Actions in a chunk.
        dim: Width of the transformer, or of the first level of the diffusion network.
        held_out: Part of the episodes that is kept apart to judge by.
        state_noise: Spread of what is added to the robot's state, by unit.
        environment_noise: Spread of what is added to what is seen, by unit.
        prefix_noise: Spread of how far a frozen prefix lies off the demonstration, by unit.
        save_every: Steps from a checkpoint to the next.
        threads: Threads of torch on a CPU; the weights' last bits depend on it.
        device: Of torch: `cpu`, `cuda`.
        workers: Processes that decode pictures; 0 decodes in the training process.
        overrides: Fields of LeRobot's own configuration of the policy, by name.
    """

    dataset: Path
    out: Path
    policy: str = "act"
    steps: int = 10_000
    batch_size: int = 64
    learning_rate: float = 5e-4
    warmup: int = 200
    seed: int = 0
    prefix: int = 8
    chunk_size: int = 16
    dim: int = 128
    held_out: float = 0.1
    state_noise: Mapping[str, float] = field(default_factory=STATE_NOISE.copy)
    environment_noise: Mapping[str, float] = field(default_factory=ENVIRONMENT_NOISE.copy)
    prefix_noise: Mapping[str, float] = field(default_factory=PREFIX_NOISE.copy)
    save_every: int = 1000
    threads: int = 1
    device: str = "cpu"
    workers: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, fingerprint: str) -> str:
        """As the folder of the training holds it; without its own place.

        Args:
            fingerprint: Of the demonstrations.
        """
        content = {**asdict(self), "dataset": str(self.dataset), "fingerprint": fingerprint}
        del content["out"]
        return json.dumps(content, indent=2, sort_keys=True) + "\n"
