"""The arm host: a process that owns an arm's driver, guards it, and brings the arm to rest when the main process fails.

    main process                         arm host                                    driver
    HostedArm.send, 100 Hz   ─────────►  interpolate, clamp, 500 Hz   ─────────────►  arm
    HostedArm.read_states    ◄─────────  every state                  ◄─────────────
      both are the heartbeat             silent for heartbeat_ns: brake, then hold, park or limp

What passes lies in memory that both processes share (`ring`, `mailboxes`).
"""

from __future__ import annotations

from robot.host.arm import HostedArm
from robot.host.events import EVENT_KINDS, EventKind, HostEvent
from robot.host.settings import ExitPolicy, HostSettings

__all__ = ["EVENT_KINDS", "EventKind", "ExitPolicy", "HostEvent", "HostSettings", "HostedArm"]
