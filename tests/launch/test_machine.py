"""Facts about a machine, read from a folder that looks like one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.realtime import rt_runtime_us
from launch.machine import machine_facts

ORIN = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n",
    "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    "proc/meminfo": "MemTotal:       64349656 kB\nMemFree:  1 kB\n",
    "proc/version": "Linux version 5.15.148-rt-tegra (x) #1 SMP PREEMPT_RT Mon\n",
    "proc/loadavg": "0.25 0.50 1.00 1/900 4242\n",
    "proc/1/cgroup": "0::/init.scope\n",
    "proc/sys/kernel/sched_rt_runtime_us": "-1\n",
    "sys/kernel/realtime": "1\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "schedutil\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2201600\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "2201600\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "2201600\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48656\n",
    "sys/class/thermal/thermal_zone1/type": "cv0-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "\n",  # a unit that is switched off
    "sys/class/thermal/thermal_zone2/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone2/temp": "47000\n",
    "etc/nvpmodel.conf": """< PARAM TYPE=FILE NAME=X >
< POWER_MODEL ID=0 NAME=MAXN >
< POWER_MODEL ID=2 NAME=MODE_30W >
< PM_CONFIG DEFAULT=2 >
""",
    "var/lib/nvpmodel/status": "pmode:0000\n",
}


def make(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_this_machine_answers_in_json() -> None:
    facts = machine_facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["cores"] >= facts["usable_cores"] >= 1
    assert facts["scheduler"].startswith("SCHED_")


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("cpu", "ARMv8 Processor rev 1 (v8l)"),
        ("board", "NVIDIA Jetson AGX Orin Developer Kit"),
        ("memory_gb", 65.89),
        ("preempt_rt", True),
        ("governor", "schedutil"),
        ("clock_mhz", 2202),
        ("clock_max_mhz", 2202),
        ("clocks_pinned", True),
        ("temperatures_c", {"cpu-thermal": 48.7, "cpu-thermal (thermal_zone2)": 47.0}),
        ("power_mode", "MAXN"),
        ("load_average", [0.25, 0.5, 1.0]),
        ("rt_runtime_us", -1),
    ],
)
def test_an_orin(tmp_path: Path, label: str, value: Any) -> None:
    assert machine_facts(make(tmp_path, ORIN))[label] == value


@pytest.mark.parametrize(
    ("changed", "label", "value"),
    [
        ({"var/lib/nvpmodel/status": None}, "power_mode", "MODE_30W"),
        ({"var/lib/nvpmodel/status": "pmode:0007\n"}, "power_mode", "0007"),
        ({"etc/nvpmodel.conf": None}, "power_mode", None),
        (
            {"sys/kernel/realtime": None, "proc/version": "Linux version 6.1 #1 SMP PREEMPT_DYNAMIC"},
            "preempt_rt",
            False,
        ),
        ({"sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq": "729600\n"}, "clocks_pinned", False),
        ({".dockerenv": ""}, "container", True),
        ({"proc/1/cgroup": "12:cpu:/docker/0123abcd\n"}, "container", True),
        ({"proc/meminfo": "nonsense"}, "memory_gb", None),
        ({"proc/sys/kernel/sched_rt_runtime_us": "950000\n"}, "rt_runtime_us", 950_000),
    ],
)
def test_other_machines(tmp_path: Path, changed: dict[str, str | None], label: str, value: Any) -> None:
    files = {name: text for name, text in {**ORIN, **changed}.items() if text is not None}
    assert machine_facts(make(tmp_path, files))[label] == value


def test_on_a_bare_metal_machine_no_container_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("container", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    assert machine_facts(make(tmp_path, ORIN))["container"] is False


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    facts = machine_facts(tmp_path)
    from_files = ["board", "memory_gb", "governor", "clock_mhz", "temperatures_c", "power_mode", "load_average"]
    assert [facts[label] for label in from_files] == [None] * len(from_files)
    assert facts["cores"] >= 1
    assert rt_runtime_us(tmp_path) is None
