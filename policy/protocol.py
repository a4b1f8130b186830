"""A policy is two methods: forget everything, and plan from what is seen."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from policy.action_chunk import ActionChunk, ActionSpace
from policy.observation import Observation


@runtime_checkable
class Policy(Protocol):
    """Turns an observation into a chunk of actions. It knows no robot, camera, kinematics or clock."""

    @property
    def chunk_size(self) -> int:
        """Actions in a chunk."""
        ...

    @property
    def dt_ns(self) -> int:
        """Time between actions [ns]."""
        ...

    @property
    def space(self) -> ActionSpace:
        """What the rows of its chunks mean."""
        ...

    def reset(self) -> None:
        """Forget the episode: the next plan is made as if nothing had happened before."""
        ...

    def plan(self, observation: Observation) -> ActionChunk:
        """Plan from `observation`; the chunk starts at its stamp."""
        ...
