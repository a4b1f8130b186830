"""Batches of chunks: what is seen at a frame and the actions from there on. A batch is a function of seed and step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.types import Array, IntArray
from policy.features import ACTION, ENVIRONMENT, STATE, unit_of
from policy.training.demonstrations import Demonstrations

Batch = dict[str, Any]  # arrays by feature: float32, and bool for what is padding
IS_PAD = "action_is_pad"
PREFIX_SHARE = 0.5  # of the chunks that begin with a frozen prefix
FADE = 5  # actions over which a chunk comes back to the demonstration after a prefix that lay off it


@dataclass(frozen=True, slots=True, eq=False)
class ChunkSampler:
    """Draws chunks from some of the episodes.

    Attributes:
        data: All demonstrations.
        frames: Shape (M,): frames that a chunk may begin at.
        chunk_size: Actions in a chunk; those beyond an episode's end repeat its last one and are marked as padding.
        prefix: Most frozen actions; 0 gives the environment no entries for them.
        state_noise: Spread of what is added to the robot's state, by unit.
        environment_noise: Spread of what is added to the environment's, by unit; what is not seen stays 0.
        prefix_noise: Spread of how far a prefix lies off the demonstration, by unit; the chunk comes back from there.
        seed: Of order and noise.
    """

    data: Demonstrations
    frames: IntArray
    chunk_size: int
    prefix: int
    state_noise: Mapping[str, float]
    environment_noise: Mapping[str, float]
    prefix_noise: Mapping[str, float]
    seed: int

    def rows(self, step: int, size: int) -> IntArray:
        """Frames of a batch: each once in an epoch, in an order of its own.

        Args:
            step: Number of the batch, from 0.
            size: Chunks in a batch.

        Returns:
            Shape (size,).
        """
        n = len(self.frames)
        places = np.arange(step * size, (step + 1) * size)
        out = np.empty(size, dtype=np.int64)
        for epoch in np.unique(places // n):
            order = np.random.default_rng((self.seed, 1, int(epoch))).permutation(n)
            now = places // n == epoch
            out[now] = self.frames[order[places[now] % n]]
        return out

    def batch(self, step: int, size: int) -> Batch:
        """Inputs and actions of a batch, with noise and prefixes.

        Args:
            step: Number of the batch, from 0.
            size: Chunks in it.

        Returns:
            Vectors by feature, shape (size, numbers); `action` (size, chunk, 7); `action_is_pad` (size, chunk) bool.
        """
        rng = np.random.default_rng((self.seed, 2, step))
        batch = clean(self.data, self.rows(step, size), self.chunk_size)
        lengths = np.zeros(size, dtype=np.int64)
        if self.prefix:
            lengths = rng.integers(1, self.prefix + 1, size) * (rng.random(size) < PREFIX_SHARE)
            offset = rng.normal(size=(size, batch[ACTION].shape[2])) * spread(
                self.data.names[ACTION], self.prefix_noise
            )
            batch[ACTION] = batch[ACTION] + (fade(lengths, self.chunk_size)[..., None] * offset[:, None]).astype("f4")
        for feature, spreads in ((STATE, self.state_noise), (ENVIRONMENT, self.environment_noise)):
            if feature in batch:
                noise = rng.normal(size=batch[feature].shape) * spread(self.data.names[feature], spreads)
                if "object.seen" in self.data.names[feature]:
                    noise *= batch[feature][:, [self.data.names[feature].index("object.seen")]] > 0
                batch[feature] = (batch[feature] + noise).astype(np.float32)
        return with_prefix(batch, lengths, self.prefix)


def clean(data: Demonstrations, rows: IntArray, chunk_size: int) -> Batch:
    """What was seen at some frames, and what was done from there on.

    Args:
        data: Demonstrations.
        rows: Shape (B,): frames.
        chunk_size: Actions in a chunk.

    Returns:
        Vectors by feature; `action` (B, chunk_size, 7); `action_is_pad` (B, chunk_size).
    """
    last = len(data.episode) - 1
    ahead = rows[:, None] + np.arange(chunk_size)
    pad = data.episode[np.minimum(ahead, last)] != data.episode[rows][:, None]
    pad |= ahead > last
    ends = np.where(pad, -1, ahead).max(axis=1)
    batch = {feature: values[rows] for feature, values in data.vectors.items() if feature != ACTION}
    batch[ACTION] = data.vectors[ACTION][np.where(pad, ends[:, None], ahead)]
    batch[IS_PAD] = pad
    return batch


def with_prefix(batch: Batch, lengths: IntArray, prefix: int) -> Batch:
    """Append a frozen prefix to `observation.environment_state`: its length, then its rows, 0 beyond the length.

    Args:
        batch: What `clean` gave.
        lengths: Shape (B,): frozen actions of each chunk.
        prefix: Most of them; 0 appends nothing.
    """
    if prefix == 0:
        return batch
    actions = batch[ACTION][:, :prefix] * (np.arange(prefix) < lengths[:, None])[..., None]
    parts = [lengths[:, None].astype(np.float32), actions.reshape(len(lengths), -1)]
    if ENVIRONMENT in batch:
        parts.insert(0, batch[ENVIRONMENT])
    return {**batch, ENVIRONMENT: np.concatenate(parts, axis=1).astype(np.float32)}


def fade(lengths: IntArray, chunk_size: int) -> Array:
    """How much of a prefix's offset is left at each action: all of it while frozen, then less, linearly.

    Args:
        lengths: Shape (B,): frozen actions of each chunk; without any there is no offset.
        chunk_size: Actions in a chunk.

    Returns:
        Shape (B, chunk_size), 0..1.
    """
    after = np.arange(chunk_size) - (lengths[:, None] - 1)
    return np.clip(1.0 - after / FADE, 0.0, 1.0) * (lengths[:, None] > 0)


def spread(names: tuple[str, ...], by_unit: Mapping[str, float]) -> Array:
    """Standard deviation of each number by its unit; 0 for a flag and for what has no unit of ours."""
    return np.array([0.0 if name == "object.seen" else by_unit.get(unit_of(name) or "", 0.0) for name in names])


def split(data: Demonstrations, held_out: float, seed: int) -> tuple[IntArray, IntArray]:
    """Frames to learn from and frames to judge by, by whole episodes.

    Args:
        data: Demonstrations.
        held_out: Part of the episodes to keep apart; at least one, where there are two.
        seed: Of the choice.

    Returns:
        Both, ascending; the second is empty for one episode alone.
    """
    episodes = data.episodes
    count = (
        0 if len(episodes) < 2 or held_out == 0.0 else min(len(episodes) - 1, max(1, round(held_out * len(episodes))))
    )
    apart = np.random.default_rng((seed, 0)).permutation(episodes)[:count]
    kept = np.isin(data.episode, apart)
    return np.flatnonzero(~kept), np.flatnonzero(kept)
