"""Episodes in several processes, handed on in the order of their numbers."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from typing import Final

from deploy.errors import Missing
from launch.collecting.cell import Attempt, CollectingCell, Plan

_LOOK_S: Final = 0.2


class _Worker:
    """What a process that runs episodes holds; its cell is made for the first, where errors find their way back."""

    plan: Plan
    stop: Event
    cell: CollectingCell | None = None


def attempts(plan: Plan, numbers: Sequence[int], jobs: int, interrupted: Callable[[], bool]) -> Iterator[Attempt]:
    """Run episodes, each the same as it would be alone.

    Args:
        plan: What is to be collected.
        numbers: Which episodes, in this order.
        jobs: How many processes; 1: this one.
        interrupted: Asked often whether to end; the episodes that are going on are broken off.

    Raises:
        Missing: If a process was killed.
        Exception: What went wrong in an episode.
    """
    if jobs == 1 or len(numbers) <= 1:
        yield from _here(plan, numbers, interrupted)
        return
    # spawned, not forked: engines and renderers have threads
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    waiting = deque(numbers)
    going: deque[Future[Attempt]] = deque()
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(jobs, context, _begin, (plan, stop)) as pool:
        try:
            while waiting or going:
                while waiting and len(going) < 2 * jobs:
                    going.append(pool.submit(_run, waiting.popleft()))
                attempt = _result(going[0], interrupted)
                if attempt is None or attempt.interrupted:
                    return
                going.popleft()
                yield attempt
        except BrokenProcessPool as error:
            # the pool asks those that are left to end by a signal that they do not listen to, and waits for them
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise Missing(
                "--jobs: a process that ran episodes was killed; those before are kept: go on with --resume, with "
                "fewer --jobs if the memory ran out"
            ) from error
        finally:
            stop.set()
            for future in going:
                future.cancel()


def _here(plan: Plan, numbers: Sequence[int], interrupted: Callable[[], bool]) -> Iterator[Attempt]:
    cell = CollectingCell(plan)
    try:
        for number in numbers:
            attempt = cell.run(number, interrupted)
            if attempt.interrupted:
                return
            yield attempt
    finally:
        cell.close()


def _result(future: Future[Attempt], interrupted: Callable[[], bool]) -> Attempt | None:
    """The result of an episode; None if it is not waited for any longer."""
    while not interrupted():
        try:
            return future.result(_LOOK_S)
        except NotYet:
            if future.done():
                raise
    return None


def _begin(plan: Plan, stop: Event) -> None:
    """Make a process ready: who started it says when it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _Worker.plan, _Worker.stop = plan, stop


def _run(number: int) -> Attempt:
    if _Worker.cell is None:
        _Worker.cell = CollectingCell(_Worker.plan)
    return _Worker.cell.run(number, _Worker.stop.is_set)
