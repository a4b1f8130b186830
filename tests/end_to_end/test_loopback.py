"""The reference task through the driver of a real arm, in three processes; what becomes of the arm if one is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rtde_control", reason="the driver's extra is not installed: pip install '.[ur]'")

from launch.bag import BagReader
from launch.config import load_config
from launch.wiring import governor_limits
from robot.sim.settings import WorldSettings
from robot.sim.world_process import WorldProcess
from tests.end_to_end.conftest import Eyehand
from tests.end_to_end.test_wall_clock import PATIENT

ADDRESS = f"127.1.{1 + os.getpid() % 250}.2"
# A process that is kept waiting must not look like silence.
BUSY = ("rig.arm.heartbeat_ms=1000", "rig.arm.options.silence_s=2.0", "rig.arm.options.watchdog_hz=1.0")
HERE = ("rig.cameras.0.rate_hz=5", f"rig.arm.options.host={ADDRESS}", f"sim.address={ADDRESS}")
SETTINGS = (
    "ur10e_loopback", "--seed", "20", *(part for one in (*PATIENT, *BUSY, *HERE) for part in ("--set", one))
)  # fmt: skip
TIMEOUT_S = 120.0


def test_it_runs_within_limits_and_replays(eyehand: Eyehand, fresh_eyehand: Eyehand, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = fresh_eyehand("run", *SETTINGS, "--set", "task.timeout_s=8", "--out", folder, "--json")
    assert done.code in (0, 1), done.err  # success depends on how fast this machine renders
    assert done.json["commands"] > 200
    log = [json.loads(line) for line in (folder / "arm_host.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in log]
    assert kinds[0] == "connected"
    assert "closed" in kinds
    assert "hold" in kinds
    assert not {"position", "velocity", "fault"} & set(kinds), log

    limits = governor_limits(load_config("ur10e_loopback")).joints
    with BagReader(folder) as bag:
        sent = np.array([record.value.joints for record in bag.records((), ("joint_commands",))])
        states = sum(1 for _ in bag.records((), ("joint_states",)))
    assert (sent >= np.array(limits.lower_rad)).all()
    assert (sent <= np.array(limits.upper_rad)).all()
    assert states > 2 * len(sent)  # every state of the driver's own rate, not one for each command

    replayed = eyehand("replay", folder, "--json").json
    assert replayed["identical"] is True, replayed


def test_an_arm_that_does_not_answer_is_missing_and_leaves_no_folder(eyehand: Eyehand, tmp_path: Path) -> None:
    nobody = "127.1.255.2"
    done = eyehand("run", *SETTINGS, "--set", f"rig.arm.options.host={nobody}", "--out", tmp_path / "run", "--json")
    assert done.code == 3
    assert f"UR controller does not answer at {nobody}" in done.err
    assert done.out == ""
    assert not (tmp_path / "run").exists()


def test_a_killed_pipeline_leaves_an_arm_at_rest(tmp_path: Path) -> None:
    """Measured where the arm is: in the process of the controller and the physics."""
    settings = WorldSettings(Path(), time.monotonic_ns(), seed=20, ur_address=ADDRESS)
    log_file = tmp_path / "run" / "arm_host.jsonl"
    with WorldProcess(settings) as world:
        command = [sys.executable, "-m", "eyehand", "run", *SETTINGS, "--out", str(tmp_path / "run"), "--episodes", "9"]
        process = subprocess.Popen([*command, "--set", f"sim.world={world.socket}"], stderr=subprocess.PIPE)
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while not np.abs(world.client.trace().speeds_rad_s[-1:]).max(initial=0.0) > 0.2:
                assert process.poll() is None, process.communicate()[1].decode()
                assert time.monotonic() < deadline, "the arm did not move"
                time.sleep(0.2)  # a trace is a minute of motion: to ask for it is work
            killed_ns = time.monotonic_ns() - settings.epoch_ns
            process.send_signal(signal.SIGKILL)
            process.wait()
            deadline = time.monotonic() + TIMEOUT_S
            while '"closed"' not in log_file.read_text():
                assert time.monotonic() < deadline, "the arm host did not end"
                time.sleep(0.1)
            time.sleep(1.0)  # the controller brakes, and the trace has to reach beyond
            rest = world.client.trace().to_rest(killed_ns)
        finally:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()
    assert rest.after_s < 3.0
    assert rest.tool_m < 0.4
    log = [json.loads(line) for line in log_file.read_text().splitlines()]
    kinds = [line["kind"] for line in log]
    assert "main_gone" in kinds or "heartbeat_lost" in kinds
    assert "closed" in kinds
