"""Addresses and loopback controllers for tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from tests.robot.ur.loopback_process import LoopbackProcess

# All of 127/8 is loopback: a net per process, an address per controller, since the ports of a controller are fixed.
_addresses = itertools.cycle(f"127.0.{1 + os.getpid() % 250}.{n}" for n in range(2, 250))


@pytest.fixture(scope="session")
def next_address() -> Callable[[], str]:
    """Addresses, for fixtures that live longer than a test."""
    return _addresses.__next__


@pytest.fixture
def loopback_address() -> str:
    """An address that no other test uses."""
    return next(_addresses)


@pytest.fixture(scope="module")
def loopback_process() -> Iterator[LoopbackProcess]:
    """A controller for all tests of a module (it keeps a tenth of a core busy); use `loopback` to get it as new."""
    process = LoopbackProcess(next(_addresses), "--unlock-delay", "0.1")
    yield process
    process.close()


@pytest.fixture(scope="module")
def spare_process() -> Iterator[LoopbackProcess]:
    """Another one, with a real controller's delays, for tests that no standing client may disturb."""
    process = LoopbackProcess(next(_addresses))
    yield process
    process.close()


@pytest.fixture
def spare(spare_process: LoopbackProcess) -> LoopbackProcess:
    """As after powering up, without clients."""
    spare_process.inject("drop_connections")
    spare_process.inject("reset")
    return spare_process


@pytest.fixture
def loopback(loopback_process: LoopbackProcess) -> Iterator[LoopbackProcess]:
    """A running controller, as after powering up, its faults off."""
    loopback_process.inject("reset")
    yield loopback_process
    loopback_process.inject("reset")
