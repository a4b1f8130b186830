"""What a latency figure depends on beside the program: processor, clocks, temperature, kernel, scheduling.

Everything is read from files that the kernel or the board keeps, in milliseconds. A fact that cannot be read here is
None: a recording says so instead of ending the run.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from deploy.realtime import rt_runtime_us

ROOT = Path("/")
CPUFREQ = "sys/devices/system/cpu/cpu0/cpufreq"
CLASSES = ("SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_IDLE", "SCHED_DEADLINE")
CONTAINER_FILES = (".dockerenv", "run/.containerenv", "run/systemd/container")
CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")
CONTAINER_GROUPS = re.compile(r"docker|kubepods|containerd|lxc|podman")


def machine_facts(root: Path = ROOT) -> dict[str, Any]:
    """Describe this machine and what this process may do on it.

    Args:
        root: Where the kernel's files are; another place for tests.

    Returns:
        JSON values by label; None where a fact cannot be read. Clocks in MHz, temperatures in degrees Celsius by
        sensor, memory in GB (1e9 bytes), `rt_runtime_us` the microseconds of each `sched_rt_period_us` that real-time
        threads may run (-1: all of them), `clocks_pinned` whether the clock may not fall, as after `jetson_clocks`.
    """
    return {label: _quietly(read, root) for label, read in _FACTS.items()}


def installed(*packages: str) -> dict[str, str]:
    """Versions of those of these packages that are installed, by their names."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def scheduling_class() -> str | None:
    """Scheduling class of the calling thread; None where the system has none."""
    if not hasattr(os, "sched_getscheduler"):
        return None
    number = os.sched_getscheduler(0) & ~getattr(os, "SCHED_RESET_ON_FORK", 0)
    known = {getattr(os, name): name for name in CLASSES if hasattr(os, name)}
    return known.get(number, str(number))


def _quietly(read: Callable[[Path], Any], root: Path) -> Any:
    try:
        return read(root)
    except Exception:  # a board may answer anything: a fact less is no reason to stop
        return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip().strip("\0")


def _cpu(root: Path) -> str:
    for line in _text(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _board(root: Path) -> str:
    return _text(root / "proc/device-tree/model")


def _usable_cores(_: Path) -> int:
    return len(os.sched_getaffinity(0))


def _memory_gb(root: Path) -> float:
    found = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    assert found is not None
    return round(int(found[1]) * 1024 / 1e9, 2)


def _preempt_rt(root: Path) -> bool:
    marker = root / "sys/kernel/realtime"
    return (marker.exists() and _text(marker) == "1") or "PREEMPT_RT" in _text(root / "proc/version")


def _governor(root: Path) -> str:
    return _text(root / CPUFREQ / "scaling_governor")


def _clock(name: str) -> Callable[[Path], int]:
    return lambda root: round(int(_text(root / CPUFREQ / name)) / 1000)


def _clock_now(root: Path) -> int:
    if (root / CPUFREQ).exists():
        return _clock("scaling_cur_freq")(root)
    found = re.search(r"^cpu MHz\s*:\s*([\d.]+)", _text(root / "proc/cpuinfo"), re.MULTILINE)
    assert found is not None
    return round(float(found[1]))


def _clocks_pinned(root: Path) -> bool:
    return _text(root / CPUFREQ / "scaling_min_freq") == _text(root / CPUFREQ / "scaling_max_freq")


def _temperatures(root: Path) -> dict[str, float] | None:
    found: dict[str, float] = {}
    for zone in sorted(
        (root / "sys/class/thermal").glob("thermal_zone*"), key=lambda zone: (len(zone.name), zone.name)
    ):
        try:
            name, degrees = _text(zone / "type"), int(_text(zone / "temp")) / 1000
        except (OSError, ValueError):
            continue  # a sensor of a unit that is switched off does not answer
        found[name if name not in found else f"{name} ({zone.name})"] = round(degrees, 1)
    return found or None


def _power_mode(root: Path) -> str:
    """The mode that nvpmodel keeps on a Jetson, by its name in the board's table."""
    table = _text(root / "etc/nvpmodel.conf")
    status = root / "var/lib/nvpmodel/status"
    kept = re.search(r"pmode:(\d+)", _text(status)) if status.exists() else None
    number = kept or re.search(r"^<\s*PM_CONFIG\s+DEFAULT=(\d+)", table, re.MULTILINE)
    assert number is not None
    mode = re.search(rf"^<\s*POWER_MODEL\s+ID=0*{int(number[1])}\s+NAME=(\S+)", table, re.MULTILINE)
    return mode[1] if mode else number[1]


def _container(root: Path) -> bool:
    if any((root / name).exists() for name in CONTAINER_FILES) or any(
        name in os.environ for name in CONTAINER_VARIABLES
    ):
        return True
    return CONTAINER_GROUPS.search(_text(root / "proc/1/cgroup")) is not None


def _load(root: Path) -> list[float]:
    return [float(figure) for figure in _text(root / "proc/loadavg").split()[:3]]


_FACTS: dict[str, Callable[[Path], Any]] = {
    "cpu": _cpu,
    "board": _board,
    "architecture": lambda _: platform.machine(),
    "cores": lambda _: os.cpu_count(),
    "usable_cores": _usable_cores,
    "memory_gb": _memory_gb,
    "kernel": lambda _: platform.release(),
    "preempt_rt": _preempt_rt,
    "governor": _governor,
    "clock_mhz": _clock_now,
    "clock_min_mhz": _clock("scaling_min_freq"),
    "clock_max_mhz": _clock("scaling_max_freq"),
    "clocks_pinned": _clocks_pinned,
    "temperatures_c": _temperatures,
    "power_mode": _power_mode,
    "container": _container,
    "load_average": _load,
    "python": lambda _: platform.python_version(),
    "scheduler": lambda _: scheduling_class(),
    "switch_interval_ms": lambda _: round(sys.getswitchinterval() * 1e3, 3),
    "rt_runtime_us": rt_runtime_us,
}
