"""Whether the exported file computes what LeRobot's own policy does, input by input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deploy.backend import Backend, Tensor
from deploy.export.pictures import picture
from policy.export.graph import NOISE, input_shapes
from policy.export.pictures import as_input, holds_pictures, read_pictures
from policy.export.reference import Reference
from policy.features import ACTION, IMAGES
from policy.spec import PolicySpec
from policy.training.chunks import clean, with_prefix
from policy.training.demonstrations import Demonstrations

LEAST_INPUTS = 64
TOLERANCE = 1e-5  # in the units of the actions
# A backbone sums thousands of products in another order; and the first steps of a sampler divide by a small number.
DEEP_TOLERANCE = 1e-4
_WIDE = 2.0  # standard deviations of made-up inputs; the demonstrations lie within

Inputs = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences over some inputs.

    Attributes:
        inputs: How many were compared.
        of: What they are: frames of a dataset, or drawn.
        largest: Largest difference of each number of an action, in its unit.
        tolerance: What is allowed.
    """

    inputs: int
    of: str
    largest: dict[str, float]
    tolerance: float

    @property
    def worst(self) -> float:
        """Largest of all."""
        return max(self.largest.values())

    @property
    def close(self) -> bool:
        """Whether the two are one policy."""
        return self.worst < self.tolerance

    def __str__(self) -> str:
        return f"actions within {self.worst:.2g} (allowed {self.tolerance:.0e}) on {self.inputs} {self.of}"


def compare(reference: Reference, backend: Backend, spec: PolicySpec, inputs: Sequence[Inputs], of: str) -> Parity:
    """Run both on the same inputs.

    Args:
        reference: LeRobot's policy.
        backend: The engine with the exported file.
        spec: What it reads and writes.
        inputs: As the file takes them.
        of: What they are, for people.

    Returns:
        The differences; infinite where the file gives something that is not finite.
    """
    worst = np.zeros(len(spec.action_names))
    for given in inputs:
        found = backend.infer(given)[ACTION]
        difference = np.abs(found - reference.predict(given)).reshape(-1, worst.size).max(axis=0)
        worst = np.maximum(worst, np.where(np.isfinite(difference), difference, np.inf))
    return Parity(
        len(inputs), of, dict(zip(spec.action_names, worst.tolist(), strict=True)),
        DEEP_TOLERANCE if spec.images or reference.noise_shape else TOLERANCE,
    )  # fmt: skip


def drawn(reference: Reference, n: int = LEAST_INPUTS, seed: int = 0) -> list[Inputs]:
    """Inputs as wide as the statistics that the policy normalises by; made-up pictures."""
    rng = np.random.default_rng(seed)
    statistics = reference.statistics()
    return [
        {name: _draw(name, shape, statistics.get(name, {}), rng) for name, shape in input_shapes(reference).items()}
        for _ in range(n)
    ]


def of_frames(
    reference: Reference, spec: PolicySpec, data: Demonstrations, n: int = LEAST_INPUTS, seed: int = 0
) -> list[Inputs]:
    """Frames of the demonstrations, half of them with a frozen prefix if the policy takes one.

    Pictures that the dataset holds as a video are made up.

    Args:
        reference: The policy.
        spec: What it reads.
        data: The demonstrations.
        n: How many, each frame once as long as there are enough.
        seed: Of the choice.

    Raises:
        BadInput: If its pictures cannot be read.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.episode))
    rows = np.resize(order, n)
    lengths = rng.integers(1, spec.prefix + 1, n) * (np.arange(n) % 2) if spec.prefix else np.zeros(n, np.int64)
    batch = with_prefix(clean(data, rows, max(spec.chunk_size, spec.prefix)), lengths, spec.prefix)
    known: dict[str, list[Tensor]] = {
        vector.name: [row[None].astype(np.float32) for row in batch[vector.name]] for vector in spec.vectors
    }
    for image in spec.images:
        if holds_pictures(data.folder, image.name):
            known[image.name] = read_pictures(data.folder, image.name, rows)
        else:
            known[image.name] = [_draw(image.name, (1, 3, image.height, image.width), {}, rng) for _ in range(n)]
    if reference.noise_shape is not None:
        known[NOISE] = [rng.standard_normal(reference.noise_shape, dtype=np.float32) for _ in range(n)]
    return [{name: rows_of[i] for name, rows_of in known.items()} for i in range(n)]


def _draw(name: str, shape: tuple[int, ...], stats: Mapping[str, Tensor], rng: np.random.Generator) -> Tensor:
    if name.startswith(IMAGES):
        image = picture((shape[3], shape[2]), int(rng.integers(1 << 31)))
        return as_input(image[..., ::-1])
    if name == NOISE:
        return rng.standard_normal(shape, dtype=np.float32)
    if {"mean", "std"} <= stats.keys():
        values = stats["mean"] + stats["std"] * rng.uniform(-_WIDE, _WIDE, shape[1:])
    elif {"min", "max"} <= stats.keys():
        values = rng.uniform(stats["min"], stats["max"])
    else:
        values = rng.standard_normal(shape[1:])
    return np.asarray(values, np.float32).reshape(shape)
