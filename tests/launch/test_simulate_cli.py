"""`eyehand simulate`: a controller until Ctrl-C, and what goes wrong with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import Missing
from launch.cli import simulate
from launch.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
NET = f"127.3.{1 + os.getpid() % 250}"


class Simulation:
    """The command as a process, its words up to `Ctrl-C ends it`."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-c", "from launch.cli.main import main; raise SystemExit(main())", "simulate", "ur"]
        self.process = subprocess.Popen([*command, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self.said: list[str] = []
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.strip())
            if line.startswith("Ctrl-C"):
                break

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr is not None
        self.said += [line.strip() for line in self.process.stderr]
        self.process.stderr.close()
        return self.process.wait(20.0)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simulate") / "trace.npz"


@pytest.fixture(scope="module")
def ideal(trace: Path) -> Iterator[Simulation]:
    simulation = Simulation(
        "--ideal", "--address", f"{NET}.1", "--trace", str(trace), "--fault", "speed_slider 0.5", "--fault", "clear"
    )
    yield simulation
    if simulation.process.poll() is None:
        simulation.process.kill()


def fault(*words: str, address: str = f"{NET}.1") -> int:
    return main(["simulate", "fault", *words, "--address", address])


def test_it_says_how_to_use_it_and_ends_with_ctrl_c(
    ideal: Simulation, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"UR controller at {NET}.1, ur10e: dashboard 29999" in ideal.said[0]
    assert fault("speed_slider", "0.3") == 0
    assert fault("protective_stop") == 0
    assert capsys.readouterr().out == "ok\nok\n"
    assert fault("status") == 0
    assert json.loads(capsys.readouterr().out)["safety_mode"] == "PROTECTIVE_STOP"
    assert fault("nonsense") == 2
    assert "no fault named 'nonsense': choose one of clear" in capsys.readouterr().err
    time.sleep(0.8)  # it looks twice a second
    assert ideal.end() == 0
    assert any("controller:" in line and "protective stop" in line for line in ideal.said)
    with np.load(trace) as rows:
        assert rows["joints_rad"].shape == (len(rows["stamp_ns"]), 6)
        assert len(rows["stamp_ns"]) > 100


def test_the_simulated_cell_behind_the_controller(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("mujoco")
    pytest.importorskip("dashboard_client")
    simulation = Simulation("--address", f"{NET}.2", "--renderer", "none", "--seed", "3", "--fault", "speed_slider 0.5")
    try:
        assert any(line.startswith("cell: seed 3, renderer none") for line in simulation.said)
        look = next(line for line in simulation.said if line.startswith("look at it: eyehand "))
        assert main([*look.removeprefix("look at it: eyehand ").split(), "--seconds", "0.2"]) == 1
        assert "speed slider 50%" in capsys.readouterr().out
        assert simulation.end() == 0
    finally:
        simulation.process.kill()


def test_nobody_there_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert fault("protective_stop", address=f"{NET}.9") == 3
    assert f"eyehand simulate ur --address {NET}.9" in capsys.readouterr().err


def test_a_taken_address_is_2() -> None:
    first = Simulation("--ideal", "--address", f"{NET}.4")
    try:
        assert main(["simulate", "ur", "--ideal", "--address", f"{NET}.4"]) == 2
    finally:
        assert first.end() == 0


def test_without_the_simulator_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["simulate", "ur", "--address", f"{NET}.5"]) == 3
    said = capsys.readouterr().err
    assert "pip install 'eyehand[sim]'" in said
    assert "--ideal" in said


def test_events_come_once_and_silence_on_purpose_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["1.0 a"], ["1.0 a", "2.0 b"], None, ["1.0 a", "2.0 b", "3.0 c"]])

    def answer(*_: str) -> str:
        events = next(answers)
        if events is None:
            raise Missing("timed out")
        return json.dumps({"events": events})

    monkeypatch.setattr(simulate, "inject", answer)
    log = simulate.ControllerLog(f"{NET}.7")
    assert [log.new() for _ in range(4)] == [["1.0 a"], ["2.0 b"], [], ["3.0 c"]]


@pytest.mark.parametrize("name", ["trace.csv", "no/such/folder/trace.npz"])
def test_a_trace_that_cannot_be_written_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "ur", "--ideal", "--trace", str(tmp_path / name)])
    assert ended.value.code == 2
