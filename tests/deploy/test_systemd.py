"""The units: valid to systemd, and an arm is moved by a person's start alone."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from launch.cli.main import parser

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())
WATCH, ARM, CLOCKS = "eyehand-watch@.service", "eyehand-arm@.service", "eyehand-clocks.service"
PROGRAM = "/opt/eyehand/venv/bin/eyehand"

Unit = dict[str, dict[str, list[str]]]


def read(name: str) -> Unit:
    """Sections, keys and their values; a key may come more than once."""
    unit: Unit = {}
    text = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", " ")
    section: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("["):
            section = unit.setdefault(line.strip("[]"), {})
        elif not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return unit


def test_there_are_three() -> None:
    assert UNITS == [ARM, CLOCKS, WATCH]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_it(name: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    text = (FOLDER / name).read_text(encoding="utf-8")
    for program in (PROGRAM, "/usr/bin/jetson_clocks"):
        text = text.replace(program, "/bin/true")  # it looks whether programs are there
    text = "\n".join(line for line in text.splitlines() if not line.startswith("Documentation="))
    file = tmp_path / name.replace("@.", "@cell.")
    file.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_systemd_notices_a_mistake(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    file = tmp_path / "wrong.service"
    file.write_text("[Service]\nExecStart=/bin/true\nRestart=sometimes\nLimitRTPRO=99\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "restart" in done.stderr.lower()
    assert "LimitRTPRO" in done.stderr


def test_nothing_but_a_person_starts_an_arm() -> None:
    unit = read(ARM)
    assert "Install" not in unit
    assert unit["Service"]["Restart"] == ["no"]
    assert "/run/eyehand.armed" in unit["Unit"]["AssertPathExists"]
    assert unit["Service"]["ExecStartPre"][0] == "+/bin/rm -f /run/eyehand.armed"
    assert not {"Also", "Alias", "OnFailure", "PartOf", "BindsTo", "Upholds"} & {
        key for part in unit.values() for key in part
    }
    started = {
        value for name in UNITS for key in ("Wants", "Requires", "Upholds") for value in read(name)["Unit"].get(key, [])
    }
    assert not [value for value in started if "arm" in value]


def test_cameras_come_back_and_never_bring_an_arm() -> None:
    unit = read(WATCH)
    service = unit["Service"]
    assert unit["Install"]["WantedBy"] == ["multi-user.target"]
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == ["2 70"]
    assert unit["Unit"].keys() >= {"StartLimitIntervalSec", "StartLimitBurst"}
    assert all("--set rig.arm=null" in command for command in (*service["ExecStartPre"], *service["ExecStart"]))


@pytest.mark.parametrize("name", [WATCH, ARM])
def test_the_loop_may_be_real_time_and_the_networks_are_not(name: str) -> None:
    service = read(name)["Service"]
    assert service["CPUSchedulingPolicy"] == ["other"]
    assert service["LimitRTPRIO"] == ["99"]
    assert service["LimitMEMLOCK"] == ["infinity"]
    assert service.get("RestrictRealtime", ["no"]) == ["no"]
    assert service["User"] == ["eyehand"]
    assert service["KillMode"] == ["mixed"]


@pytest.mark.parametrize("name", [WATCH, ARM])
def test_the_commands_are_ours(name: str) -> None:
    service = read(name)["Service"]
    commands = [value for value in (*service["ExecStartPre"], *service["ExecStart"]) if value.startswith(PROGRAM)]
    assert [parser().parse_args(shlex.split(value)[1:]).command for value in commands] == ["validate", "run"]
    assert parser().parse_args(shlex.split(commands[1])[1:]).clock == "wall"
