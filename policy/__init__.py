"""What to do next, as chunks of actions.

Owns: `Observation`, `ActionChunk`, the `Policy` protocol, the scripted expert, learned policies with what they read and
write by name and unit, chunk scheduling, demonstrations, training.

Does not own: robots, cameras, kinematics (an expert speaks end-effector poses; the control path does the inverse
kinematics).
"""

from __future__ import annotations

from policy.action_chunk import ActionChunk, ActionSpace
from policy.chunk_schedule import ChunkSchedule, Offer
from policy.expert import ScriptedExpert
from policy.expert_parameters import ExpertParameters
from policy.learned import LearnedPolicy
from policy.motion import Phase
from policy.observation import Observation
from policy.planning_delay import PlanningDelay
from policy.protocol import Policy
from policy.seam import Blend, Ensemble, ScheduleMode, Seam, Switch, make_seam
from policy.spec import PolicySpec

__all__ = [
    "ActionChunk",
    "ActionSpace",
    "Blend",
    "ChunkSchedule",
    "Ensemble",
    "ExpertParameters",
    "LearnedPolicy",
    "Observation",
    "Offer",
    "Phase",
    "PlanningDelay",
    "Policy",
    "PolicySpec",
    "ScheduleMode",
    "ScriptedExpert",
    "Seam",
    "Switch",
    "make_seam",
]
