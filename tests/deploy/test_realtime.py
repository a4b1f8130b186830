"""What is asked of the system is undone, what is refused leaves one line with its remedy, what was given is told."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from deploy import realtime
from deploy.errors import BadInput
from deploy.realtime import Realtime
from launch.config.tree import RealtimeConfig

OFF = RealtimeConfig(priority=None, lock_memory=False, freeze_gc=False, switch_interval_ms=5.0)
CORES = sorted(os.sched_getaffinity(0))


def with_(**options: object) -> Realtime:
    return Realtime(OFF.model_copy(update=options))


def in_a_thread(call: Callable[[], object]) -> list[object]:
    result: list[object] = []
    thread = threading.Thread(target=lambda: result.append(call()))
    thread.start()
    thread.join()
    return result


def refuse(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


class FakeLibrary:
    """The two calls of the C library; it remembers them."""

    def __init__(self, answer: int) -> None:
        self.calls: list[object] = []
        self.mlockall = lambda flags: self.calls.append(flags) or answer
        self.munlockall = lambda: self.calls.append("unlock") or 0


@pytest.mark.parametrize(("divisor", "ending"), [(1, contextlib.nullcontext()), (0, pytest.raises(ZeroDivisionError))])
def test_leaving_restores_the_process(divisor: int, ending: contextlib.AbstractContextManager[object]) -> None:
    before = sys.getswitchinterval(), os.sched_getaffinity(0)
    with ending, with_(switch_interval_ms=0.7, freeze_gc=True, control_cpu=CORES[-1]) as settings:
        assert sys.getswitchinterval() == pytest.approx(0.7e-3)
        assert settings.achieved["switch_interval_us"] == 700
        assert settings.achieved["gc_frozen"] == pytest.approx(gc.get_freeze_count(), abs=500)
        assert gc.get_freeze_count() > 1000
        _ = 1 // divisor
    assert (sys.getswitchinterval(), os.sched_getaffinity(0)) == before
    assert gc.get_freeze_count() == 0


def test_nothing_asked_nothing_done() -> None:
    with with_(switch_interval_ms=sys.getswitchinterval() * 1e3) as settings:
        in_a_thread(settings.enter_control_thread)
    assert settings.notes == []
    assert settings.achieved == {
        "scheduler": "SCHED_OTHER", "priority": None, "memory_locked": False, "gc_frozen": 0,
        "switch_interval_us": round(sys.getswitchinterval() * 1e6), "control_cpu": None,
    }  # fmt: skip


def test_what_is_told_of_the_control_thread_is_true() -> None:
    with with_(priority=7) as settings:

        def look() -> tuple[int, int]:
            settings.enter_control_thread()
            return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK, os.sched_getparam(0).sched_priority

        [(policy, priority)] = in_a_thread(look)  # type: ignore[misc]
    given = policy == os.SCHED_FIFO
    assert settings.achieved["scheduler"] == ("SCHED_FIFO" if given else "SCHED_OTHER")
    assert settings.achieved["priority"] == (7 if given else None)
    assert priority == (7 if given else 0)
    assert len(settings.notes) == (0 if given else 1)


def test_threads_of_the_control_thread_do_not_inherit_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda *request: asked.append(request[1]))
    with with_(priority=50) as settings:
        settings.enter_control_thread()
    assert asked == [os.SCHED_FIFO | os.SCHED_RESET_ON_FORK]
    assert settings.achieved["priority"] == 50


@pytest.mark.parametrize(
    ("runtime_us", "words"),
    [
        (950_000, ["SCHED_FIFO 50", "not permitted", "limits.d", "@realtime - rtprio 99", "LimitRTPRIO", "SYS_NICE"]),
        (None, ["SCHED_FIFO 50", "rtprio=99"]),
        (0, ["SCHED_FIFO 50", "sysctl -w kernel.sched_rt_runtime_us=950000"]),
    ],
)
def test_a_refused_priority_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, runtime_us: int | None, words: list[str]
) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(realtime, "rt_runtime_us", lambda: runtime_us)
    with with_(priority=50) as settings:
        for _ in range(3):  # each episode has its thread
            in_a_thread(settings.enter_control_thread)
    assert len(settings.notes) == 1
    assert "\n" not in settings.notes[0]
    for word in words:
        assert word in settings.notes[0]
    assert settings.achieved["scheduler"] == "SCHED_OTHER"


@pytest.mark.parametrize(
    ("answer", "limit", "words"),
    [
        (0, None, []),
        (-1, None, ["memory is not locked", "memlock unlimited", "LimitMEMLOCK=infinity", "--ulimit memlock=-1"]),
        (0, 8 << 20, ["limit 8192 kB", "memlock unlimited"]),
    ],
)
def test_memory_is_locked_without_limit_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, answer: int, limit: int | None, words: list[str]
) -> None:
    library = FakeLibrary(answer)
    monkeypatch.setattr(realtime, "_libc", lambda: library)
    monkeypatch.setattr(realtime, "_memlock_limit", lambda: limit)
    with with_(lock_memory=True) as settings:
        assert settings.achieved["memory_locked"] is (not words)
    assert len(settings.notes) == (1 if words else 0)
    for word in words:
        assert word in settings.notes[0]
    everything_on_fault = 1 | 2 | 4
    assert library.calls == ([everything_on_fault, "unlock"] if not words else [everything_on_fault] * (limit is None))


@pytest.mark.parametrize(
    ("hard", "capabilities", "expected"),
    [(-1, 0, None), (8 << 20, 0, 8 << 20), (8 << 20, 1 << 14, None), (8 << 20, ~(1 << 14) & 0xFFFF, 8 << 20)],
)
def test_the_limit_of_locked_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, hard: int, capabilities: int, expected: int | None
) -> None:
    raised = []
    monkeypatch.setitem(
        sys.modules,
        "resource",
        SimpleNamespace(
            RLIMIT_MEMLOCK=8,
            RLIM_INFINITY=-1,
            getrlimit=lambda _: (4096, hard),
            setrlimit=lambda *a: raised.append(a[1]),
        ),
    )
    monkeypatch.setattr(
        realtime, "STATUS", SimpleNamespace(read_text=lambda **_: f"Name:\tx\nCapEff:\t{capabilities:016x}\n")
    )
    assert realtime._memlock_limit() == expected
    assert raised == ([(-1, -1)] if hard == -1 else [])


def test_the_control_loop_gets_a_core_and_the_others_leave_it() -> None:
    core, waiting, stop = CORES[-1], threading.Event(), threading.Event()
    masks: list[set[int]] = []

    def older_thread() -> None:
        waiting.set()
        stop.wait()
        masks.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=older_thread)
    thread.start()
    waiting.wait()
    with with_(control_cpu=core) as settings:

        def control() -> set[int]:
            settings.enter_control_thread()
            return os.sched_getaffinity(0)

        [control_mask] = in_a_thread(control)
        [younger_mask] = in_a_thread(lambda: os.sched_getaffinity(0))
        stop.set()
        thread.join()
    others = set(CORES) - {core} or {core}
    assert control_mask == {core}
    assert masks == [others]
    assert younger_mask == others
    assert settings.achieved["control_cpu"] == core
    assert len(settings.notes) == (1 if len(CORES) == 1 else 0)


def test_a_core_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match=rf"control_cpu: 4711 .* {CORES[-1]}\b"):
        with_(control_cpu=4711)


def test_another_system_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "LINUX", False)
    for name in ("sched_setscheduler", "sched_setaffinity", "sched_getaffinity"):
        monkeypatch.delattr(os, name)
    with with_(priority=50, lock_memory=True, control_cpu=1, freeze_gc=True, switch_interval_ms=0.5) as settings:
        settings.enter_control_thread()
    assert len(settings.notes) == 1
    assert sys.platform in settings.notes[0]
    assert settings.achieved["scheduler"] is None
    assert settings.achieved["switch_interval_us"] == 500


def test_the_watchdog_is_above_the_control_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda _, policy, param: asked.append((policy, param.sched_priority)), raising=False
    )
    settings = with_(priority=50)
    settings.enter_control_thread()
    settings.enter_watchdog_thread()
    with_(priority=99).enter_watchdog_thread()
    with_(priority=None).enter_watchdog_thread()
    assert [policy & os.SCHED_FIFO for policy, _ in asked] == [os.SCHED_FIFO] * 3
    assert [priority for _, priority in asked] == [50, 51, 99]
