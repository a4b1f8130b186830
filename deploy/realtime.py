"""What a run on the wall clock asks of the operating system and of the interpreter, and what it was given.

Each request stands alone: one that is refused leaves a note with its remedy, and the run goes on with the others. What
the requests are worth is measured by `benchmarks/control_jitter.py`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol

from deploy.errors import BadInput

# From <sys/mman.h>, the same on x86-64 and ARM. On fault: what nobody touches (most of each thread's stack and of the
# allocator's arenas) is not brought into memory in order to be locked there.
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
CAP_IPC_LOCK = 14
TASKS = Path("/proc/self/task")
STATUS = Path("/proc/self/status")
RT_RUNTIME = "proc/sys/kernel/sched_rt_runtime_us"
LINUX = sys.platform.startswith("linux")
NOT_LINUX = f"this system is {sys.platform}: SCHED_FIFO, locked memory and affinity want Linux"

PERMIT_PRIORITY = (
    "permit it with the line `@realtime - rtprio 99` in /etc/security/limits.d/99-realtime.conf (then log in again), "
    "systemd LimitRTPRIO=99, or docker --cap-add=SYS_NICE --ulimit rtprio=99"
)
PERMIT_MEMORY = (
    "permit it with the line `@realtime - memlock unlimited` in /etc/security/limits.d/99-realtime.conf (then log in "
    "again), systemd LimitMEMLOCK=infinity, or docker --ulimit memlock=-1"
)
PERMIT_RUNTIME = "sysctl kernel.sched_rt_runtime_us is 0: sudo sysctl -w kernel.sched_rt_runtime_us=950000"


class RealtimeRequest(Protocol):
    """What to ask for."""

    @property
    def priority(self) -> int | None:
        """SCHED_FIFO priority of the control loop; None leaves it an ordinary thread."""
        ...

    @property
    def lock_memory(self) -> bool:
        """Keep what was touched in memory (mlockall)."""
        ...

    @property
    def freeze_gc(self) -> bool:
        """Take what exists at the start out of the garbage collector's sight."""
        ...

    @property
    def switch_interval_ms(self) -> float:
        """How long a thread may keep the interpreter from others that wait [ms]."""
        ...

    @property
    def control_cpu(self) -> int | None:
        """The core that the control loop is bound to; None for any."""
        ...


class Realtime:
    """Real-time settings of the process while it is entered, and of the control loop's thread.

    Enter it when the models are loaded: what exists then is taken out of the garbage collector's sight, and the threads
    that exist then leave the control loop's core. Leaving it restores the process.

    Args:
        config: What to ask for.

    Attributes:
        notes: One line for each request that was refused, with the remedy.
        achieved: What was given: `scheduler` and `priority` of the control loop (None until it is there),
            `memory_locked`, `gc_frozen` (objects), `switch_interval_us`, `control_cpu`.

    Raises:
        BadInput: If the control loop's core does not exist, or this process may not use it.
    """

    def __init__(self, config: RealtimeRequest) -> None:
        self._config = config
        self._cores = os.sched_getaffinity(0) if LINUX else set[int]()
        if config.control_cpu is not None and LINUX and config.control_cpu not in self._cores:
            raise BadInput(
                f"realtime.control_cpu: {config.control_cpu} is no core that this process may use; it may use "
                f"{', '.join(map(str, sorted(self._cores)))}"
            )
        self._undo = ExitStack()
        self.notes: list[str] = []
        self.achieved: dict[str, str | int | bool | None] = {
            "scheduler": None,
            "priority": None,
            "memory_locked": False,
            "gc_frozen": 0,
            "switch_interval_us": round(sys.getswitchinterval() * 1e6),
            "control_cpu": None,
        }

    def __enter__(self) -> Realtime:  # noqa: PYI034 - typing.Self came with Python 3.11
        config = self._config
        if not LINUX and (config.priority is not None or config.lock_memory or config.control_cpu is not None):
            self._note(NOT_LINUX)
        self._set_switch_interval()
        if config.control_cpu is not None and LINUX:
            self._clear_core(config.control_cpu)
        if config.freeze_gc:
            gc.collect()
            gc.freeze()
            self._undo.callback(gc.unfreeze)
            self.achieved["gc_frozen"] = gc.get_freeze_count()
        if config.lock_memory and LINUX:
            self._lock_memory()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def enter_control_thread(self) -> None:
        """Give the calling thread the control loop's scheduling class and core.

        Threads that it starts do not inherit the class.
        """
        if not LINUX:
            return
        if self._config.control_cpu is not None:
            os.sched_setaffinity(0, {self._config.control_cpu})
            self.achieved["control_cpu"] = self._config.control_cpu
        self.achieved["scheduler"] = "SCHED_OTHER"
        priority = self._config.priority
        if priority is None:
            return
        refused = _first_in_first_out(priority)
        if refused:
            remedy = PERMIT_RUNTIME if rt_runtime_us() == 0 else PERMIT_PRIORITY
            self._note(f"control loop without SCHED_FIFO {priority} ({refused}): {remedy}")
        else:
            self.achieved["scheduler"], self.achieved["priority"] = "SCHED_FIFO", priority

    def enter_watchdog_thread(self) -> None:
        """Put the calling thread above the control loop: a loop that never ends must not keep its watchdog away."""
        priority = self._config.priority
        if LINUX and priority is not None:
            _first_in_first_out(min(priority + 1, os.sched_get_priority_max(os.SCHED_FIFO)))

    def _note(self, line: str) -> None:
        if line not in self.notes:  # each episode has a control thread of its own
            self.notes.append(line)

    def _set_switch_interval(self) -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(self._config.switch_interval_ms * 1e-3)
        self._undo.callback(sys.setswitchinterval, before)
        self.achieved["switch_interval_us"] = round(sys.getswitchinterval() * 1e6)

    def _clear_core(self, core: int) -> None:
        """Move the threads that exist to the other cores; those that they start stay there."""
        others = self._cores - {core}
        if not others:
            self._note(f"realtime.control_cpu: {core} is the only core of this process; all threads share it")
            return
        for task in TASKS.iterdir():
            thread = int(task.name)
            try:
                before = os.sched_getaffinity(thread)
                os.sched_setaffinity(thread, others)
            except OSError:
                continue  # it has just ended
            self._undo.callback(_restore_affinity, thread, before)

    def _lock_memory(self) -> None:
        refused = _lock_memory()
        if refused:
            self._note(f"memory is not locked ({refused}): {PERMIT_MEMORY}")
        else:
            self._undo.callback(_libc().munlockall)
            self.achieved["memory_locked"] = True


def rt_runtime_us(root: Path = Path("/")) -> int | None:
    """Microseconds of each period that real-time threads may run; -1 for all, None where there is no such limit."""
    try:
        return int((root / RT_RUNTIME).read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):
        return None


def _first_in_first_out(priority: int) -> str:
    """Give the calling thread SCHED_FIFO; the reason if that is refused."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _restore_affinity(thread: int, cores: set[int]) -> None:
    try:
        os.sched_setaffinity(thread, cores)
    except OSError:
        return  # it has ended


def _lock_memory() -> str:
    """Lock what is and will be in memory; the reason if that is refused."""
    libc = _libc()
    if not hasattr(libc, "mlockall"):
        return "the C library has no mlockall"
    limit = _memlock_limit()
    if limit is not None:
        # the lock would be granted up to the limit, and an allocation beyond it would fail in the middle of the run
        return f"limit {limit // 1024} kB"
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0:
        return os.strerror(ctypes.get_errno())
    return ""


def _memlock_limit() -> int | None:
    """How much this process may lock [bytes]; None for any amount. A soft limit is raised to the hard one."""
    import resource  # Windows has none

    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
        return None
    return None if _has_capability(CAP_IPC_LOCK) else hard


def _has_capability(bit: int) -> bool:
    for line in STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.partition(":")[2], 16) >> bit & 1)
    return False


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
