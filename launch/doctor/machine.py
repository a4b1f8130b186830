"""The machine: Python, processor, memory, disk, graphics processor, permission to run in real time."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

from launch import plugins
from launch.doctor.finding import Finding, one_line

PYTHONS = ((3, 10), (3, 12))
MIN_MEMORY_GB = 2.0
MIN_DISK_GB = 1.0
LOW_POWER = ("powersave",)
CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")
RT_LIMITS = "@realtime - rtprio 95 and @realtime - memlock unlimited"


def python() -> Finding:
    """The interpreter and the operating system."""
    low, high = PYTHONS
    detail = f"{platform.python_version()} ({sys.executable}) on {_operating_system()}, {platform.machine()}"
    if not low <= sys.version_info[:2] <= high:
        return Finding("python", "problem", detail, f"use Python {low[0]}.{low[1]} to {high[0]}.{high[1]}")
    return Finding("python", "ok", detail)


def installation() -> Finding:
    """This distribution, and the names that it registers: sources, engines, policies and arms are found by them."""
    remedy = "pip install 'eyehand[cpu,sim]', or in a checkout: pip install -e '.[cpu,sim]'"
    try:
        version = metadata.version("eyehand")
    except metadata.PackageNotFoundError:
        return Finding("installation", "missing", "eyehand is not installed in this Python", remedy)
    nothing = [kind for kind in plugins.KINDS if not plugins.names(kind)]
    if nothing:
        detail = f"eyehand {version} registers no {', no '.join(nothing)}: its installation is older than its code"
        return Finding("installation", "problem", detail, remedy)
    return Finding("installation", "ok", f"eyehand {version} in {Path(__file__).resolve().parents[2]}")


def processor() -> Finding:
    """Processor, the cores that this process may use, frequency governor and power mode where they can be read."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts = [_cpu_model(), f"{cores} of {os.cpu_count()} cores"]
    governor = _text(CPUFREQ / "scaling_governor")
    highest = _text(CPUFREQ / "cpuinfo_max_freq")
    if highest.isdigit():
        parts.append(f"up to {int(highest) / 1e6:.1f} GHz")
    parts.append(f"governor {governor}" if governor else "governor not readable")
    power_mode = _jetson_power_mode()
    if power_mode:
        parts.append(f"power mode {power_mode}")
    detail = ", ".join(parts)
    if governor in LOW_POWER and not _text(CPUFREQ / "scaling_driver").startswith("intel_pstate"):
        # intel_pstate calls its adaptive governor "powersave" too, and that one does raise the clock under load
        return Finding("processor", "problem", detail, "latency will jump: sudo cpupower frequency-set -g performance")
    return Finding("processor", "ok", detail)


def memory() -> Finding:
    """Main memory."""
    table = dict(line.split(":", 1) for line in _text(Path("/proc/meminfo")).splitlines() if ":" in line)
    if "MemTotal" not in table:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        return Finding("memory", "ok", f"{pages * size / 1e9:.1f} GB")
    total, free = (int(table.get(key, "0").split()[0]) * 1024 / 1e9 for key in ("MemTotal", "MemAvailable"))
    detail = f"{total:.1f} GB, {free:.1f} GB available"
    if free < MIN_MEMORY_GB:
        return Finding("memory", "problem", detail, f"a run wants {MIN_MEMORY_GB:g} GB: close other programs")
    return Finding("memory", "ok", detail)


def disk() -> Finding:
    """Space where runs are written."""
    here = Path.cwd()
    free_gb = shutil.disk_usage(here).free / 1e9
    detail = f"{free_gb:.1f} GB free in {here}"
    if not os.access(here, os.W_OK):
        return Finding("disk", "problem", f"{here} cannot be written", "go to another folder, or give --out")
    if free_gb < MIN_DISK_GB:
        return Finding("disk", "problem", detail, f"recordings want {MIN_DISK_GB:g} GB: make room, or give --out")
    return Finding("disk", "ok", detail)


def graphics_processor() -> Finding:
    """An NVIDIA GPU, through its driver's own tool; on a Jetson the board's name."""
    board = _text(Path("/proc/device-tree/model")).strip("\0")
    if "NVIDIA" in board:
        return Finding("gpu", "ok", board)
    remedy = "not needed: everything here runs on the processor"
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("gpu", "missing", "no NVIDIA driver (nvidia-smi not found)", remedy)
    query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=4, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return Finding("gpu", "problem", one_line(done.stdout + done.stderr), "install or reload the NVIDIA driver")
    return Finding("gpu", "ok", "; ".join(lines))


def real_time() -> Finding:
    """Whether a thread may run under SCHED_FIFO: tried on a thread that ends at once."""
    if not hasattr(os, "SCHED_FIFO"):
        return Finding("real time", "missing", "this system has no SCHED_FIFO", "control on the real arm wants Linux")
    refused: list[str] = []
    thread = threading.Thread(target=_try_fifo, args=(refused,))
    thread.start()
    thread.join()
    priority = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    kernel = "PREEMPT_RT kernel" if _text(Path("/sys/kernel/realtime")) == "1" else "ordinary kernel"
    memlock = "unlimited" if locked == resource.RLIM_INFINITY else f"{locked // 1024} kB"
    limits = (
        f"{kernel}, rtprio limit {priority if priority != resource.RLIM_INFINITY else 'unlimited'}, memlock {memlock}"
    )
    if refused:
        remedy = (
            f"simulation does not need it; for the real arm, in /etc/security/limits.conf: {RT_LIMITS}; log in again"
        )
        return Finding("real time", "missing", f"SCHED_FIFO refused ({refused[0]}); {limits}", remedy)
    return Finding("real time", "ok", f"SCHED_FIFO allowed; {limits}")


def _try_fifo(refused: list[str]) -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # 0 is the calling thread on Linux
    except OSError as error:
        refused.append(error.strerror or str(error))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _operating_system() -> str:
    for line in _text(Path("/etc/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return f"{line.partition('=')[2].strip(chr(34))}, kernel {platform.release()}"
    return platform.platform()


def _cpu_model() -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _jetson_power_mode() -> str:
    tool = shutil.which("nvpmodel")
    if tool is None:
        return ""
    done = subprocess.run([tool, "-q"], capture_output=True, text=True, timeout=4, check=False)
    lines = [line.partition(":")[2].strip() for line in done.stdout.splitlines() if "Power Mode" in line]
    return lines[0] if lines else ""
