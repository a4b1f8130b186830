"""What to do next, as chunks of actions.

Owns: `Observation`, `ActionChunk`, the `Policy` protocol, the scripted expert, chunk scheduling. The expert is the only
policy yet; a learned one belongs here when it comes.

Does not own: robots, cameras, kinematics (an expert speaks end-effector poses; the control path does the inverse
kinematics).
"""

from __future__ import annotations

from policy.action_chunk import ActionChunk, ActionSpace
from policy.chunk_schedule import ChunkSchedule, Offer
from policy.expert import ScriptedExpert
from policy.expert_parameters import ExpertParameters
from policy.motion import Phase
from policy.observation import Observation
from policy.planning_delay import PlanningDelay
from policy.protocol import Policy
from policy.seam import Blend, Ensemble, ScheduleMode, Seam, Switch, make_seam

__all__ = [
    "ActionChunk",
    "ActionSpace",
    "Blend",
    "ChunkSchedule",
    "Ensemble",
    "ExpertParameters",
    "Observation",
    "Offer",
    "Phase",
    "PlanningDelay",
    "Policy",
    "ScheduleMode",
    "ScriptedExpert",
    "Seam",
    "Switch",
    "make_seam",
]
