"""Episodes in processes of their own come in the order of their numbers, and are those of one process."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace

import pytest

pytest.importorskip("pyarrow.parquet", reason="needs the extra dataset")
pytest.importorskip("mujoco", reason="needs the extra sim")

from deploy.errors import BadInput, Missing
from launch.collect import taught_by_the_expert
from launch.collecting.cell import Plan
from launch.collecting.jobs import attempts
from launch.config import load_config
from launch.wiring import resolve
from policy.demonstrator import Noise


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Three tenths of a second: too short for the task, long enough to see that something ran."""
    config = taught_by_the_expert(load_config("sim_pick_place", ["detector.threads=1", "task.timeout_s=0.3"]))
    return Plan(resolve(config), "joint_position", Noise())


def test_processes_change_nothing(plan: Plan) -> None:
    alone = list(attempts(plan, range(3), 1, lambda: False))
    beside = list(attempts(plan, range(3), 2, lambda: False))
    assert [attempt.to_dict() for attempt in beside] == [attempt.to_dict() for attempt in alone]
    assert [attempt.number for attempt in beside] == [0, 1, 2]
    assert len({attempt.seed for attempt in beside}) == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_interrupted_is_not_handed_on(plan: Plan, jobs: int) -> None:
    assert list(attempts(plan, range(3), jobs, lambda: True)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_mistake_in_a_process_is_told(plan: Plan, jobs: int) -> None:
    policy = plan.config.policy.model_copy(update={"object_class": "unicorn"})
    wrong = replace(plan, config=plan.config.model_copy(update={"policy": policy}))
    with pytest.raises(BadInput, match="'unicorn' is no class of model"):
        list(attempts(wrong, range(2), jobs, lambda: False))


def test_a_process_that_is_killed_is_told(plan: Plan) -> None:
    before = set(multiprocessing.active_children())
    handed_on = attempts(plan, range(8), 2, lambda: False)
    next(handed_on)
    child = next(iter(set(multiprocessing.active_children()) - before))
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(Missing, match="killed; those before are kept: go on with --resume"):
        list(handed_on)
    assert set(multiprocessing.active_children()) <= before


def test_settings_of_the_policy_stay_when_the_expert_takes_over() -> None:
    learned = load_config("sim_pick_place", ["policy.type=learned", "policy.extrapolate=false"])
    taught = taught_by_the_expert(learned).policy
    assert (taught.type, taught.extrapolate) == ("expert", False)
    with pytest.raises(BadInput, match=r"add --set policy\.type=expert"):
        taught_by_the_expert(load_config("sim_pick_place", ["policy.type=learned", "policy.options.close_s=0.4"]))
