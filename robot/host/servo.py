"""The arm host's loop: reads the driver, follows the main process, and brings the arm to rest when that one fails."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from enum import Enum
from typing import Final

import numpy as np

from deploy.errors import EyehandError
from deploy.pacer import Pacer
from robot.arm import Arm, ArmFault, BufferedArm, CommandMode, FaultKind, JointCommand, RobotState
from robot.host.clamp import SetpointClamp
from robot.host.cycle_times import CycleTimes
from robot.host.events import EventKind, HostEvent
from robot.host.follower import Follower
from robot.host.journal import Journal
from robot.host.mailboxes import CLOSE, LIMP, RECOVER, STOP, VELOCITY, Mailboxes
from robot.host.motions import Motion, to_park, to_rest
from robot.host.observer import Observer
from robot.host.settings import ExitPolicy, HostSettings
from robot.host.status import Status

# how long an arm may go on moving after its setpoints rest, before that is accepted as rest [s]
SETTLE_S: Final = 1.0
# periods of the control loop without a sign of life after which the arm begins to brake
HESITATE_PERIODS: Final = 3
JOINTS: Final = 6


class Mode(Enum):
    """What the host does with the arm."""

    FOLLOW = "follow"
    BRAKE = "brake"
    HOLD = "hold"
    PARK = "park"
    LIMP = "limp"
    FAULT = "fault"


class Servo:
    """The loop. It owns the driver.

    Args:
        driver: The arm, connected.
        boxes: What passes between the two processes.
        settings: What the host was told.
        clock: The run clock [ns].
        journal: Where its events go.
        main_gone: Asked every cycle whether there is no main process any more, or the host was told to end: why, or
            nothing.

    Attributes:
        calling: The call of the driver that the loop is in, and since when [ns]; empty for none.
        times: How well it kept its time.
    """

    def __init__(
        self,
        driver: Arm,
        boxes: Mailboxes,
        settings: HostSettings,
        clock: Callable[[], int],
        journal: Journal,
        main_gone: Callable[[], str],
    ) -> None:
        self._observer = Observer()
        self._driver, self._boxes, self._settings, self._clock = driver, boxes, settings, clock
        self._buffered = driver if isinstance(driver, BufferedArm) else None
        self._journal, self._main_gone = journal, main_gone
        self._dt = settings.period_s
        self._clamp = SetpointClamp(settings.limits, self._dt)
        self._follower = Follower(settings, self._clamp)
        self._status = Status(boxes.status)
        self.times = CycleTimes()
        self.calling: tuple[str, int] = ("", 0)
        self._mode = Mode.HOLD
        self._place: list[float] = [0.0] * JOINTS
        self._opening = 0.0
        self._motion: Motion | None = None
        self._elapsed_s = 0.0
        self._next: Mode | None = None  # after rest; None: what the exit policy says
        self._recovering = 0
        self._ending = False
        self._armed = False
        self._started = False
        self._beat_ns = self._cycle_ns = clock()
        self._sequence = -1
        self._limp_at_ns: int | None = None
        self._commanded = False
        self._hesitate_ns = min(HESITATE_PERIODS * settings.command_period_ns, settings.heartbeat_ns)

    def run(self) -> None:
        """Go on until the main process has gone, or wants it to end, and the exit policy is done."""
        pacer, late_ns, going = Pacer(self._clock, round(self._dt * 1e9)), 0, True
        while going:
            started_ns = self._clock()
            going = self.cycle(started_ns)
            self.times.add(started_ns, late_ns, self._clock() - started_ns)
            late_ns = pacer.wait()
        self._journal.tell(HostEvent(self._clock(), "timing", self.times.sentence()), **self.times.figures())

    @property
    def gave_way(self) -> bool:
        """Whether the arm was let go limp."""
        return self._mode is Mode.LIMP

    # -- one cycle --------------------------------------------------------------------------------------------------

    def cycle(self, now_ns: int) -> bool:
        """Run one cycle; whether another is to follow."""
        gap_ns, self._cycle_ns = now_ns - self._cycle_ns, now_ns
        if gap_ns > self._settings.heartbeat_ns:
            self._was_away(now_ns, gap_ns)
        state: RobotState | None = None
        try:
            if self._mode is not Mode.FAULT:
                state = self._read(now_ns)
            self._listen(now_ns)
            if self._mode is Mode.FAULT:
                return self._wait_in_fault(now_ns)
            if state is not None:
                self._act(now_ns, state)
        except ArmFault as fault:
            self._fail(now_ns, fault.kind, str(fault))
        except Exception as error:  # whatever a driver raises must not leave the arm alone
            traceback.print_exception(error)
            self._fail(now_ns, "driver", f"{type(error).__name__} in the driver of {self._driver.name}: {error}")
        self._journal.flush(now_ns)
        return not (self._ending and self._is_done())

    def _read(self, now_ns: int) -> RobotState:
        self.calling = ("read_state", now_ns)
        states = self._buffered.read_states() if self._buffered is not None else []
        state = states[-1] if states else self._driver.read_state()
        self.calling = ("", 0)
        self._observer.see(state.joint_positions_rad.tolist(), state.joint_velocities_rad_s.tolist())
        if not self._started:
            self._start(state)
        for one in states or [state]:
            if one.sequence != self._sequence:
                self._sequence = one.sequence
                joints, speeds = one.joint_positions_rad.tolist(), one.joint_velocities_rad_s.tolist()
                self._boxes.states.append(one.sequence, one.stamp_ns, *joints, *speeds, one.gripper_opening)
        return state

    def _start(self, state: RobotState) -> None:
        """Hold the arm where it is."""
        impossible = self._observer.impossible
        if impossible is not None:
            joint, angle = impossible
            raise ArmFault("driver", f"joint {joint} of {self._driver.name} reads {angle} rad: the arm cannot be there")
        self._started = True
        self._place = self._observer.joints
        self._opening = min(max(state.gripper_opening, 0.0), 1.0)
        self._clamp.reset(self._place)
        self._mode, self._armed = Mode.HOLD, False

    def _act(self, now_ns: int, state: RobotState) -> None:
        """Make and send the setpoint of this cycle."""
        if self._armed:
            self._mind_silence(now_ns)
        if self._mode is Mode.LIMP:
            return
        if self._mode is Mode.FOLLOW:
            wanted = self._follower.step()
        elif self._motion is not None:
            self._elapsed_s += self._dt
            wanted = self._motion.at(self._elapsed_s)
        else:
            if self._mode is Mode.HOLD and not self._armed and self._observer.was_moved_from(self._place):
                self._start(state)
                self._journal.tell(HostEvent(now_ns, "hold", "the arm was moved: it is held where it is now"))
            wanted = self._place
        joints = self._clamp.follow(wanted)
        clamped = self._follower.clamped()
        if clamped is not None:
            self._journal.intervened(now_ns, *clamped)
        self.calling = ("send", now_ns)
        self._driver.send(JointCommand(now_ns, "position", np.array(joints), self._opening))
        self.calling = ("", 0)
        if self._motion is not None and self._elapsed_s >= self._motion.duration_s and self._clamp.rests:
            self._arrive(now_ns)

    def _mind_silence(self, now_ns: int) -> None:
        """Brake when the main process is silent: at first so that it may go on, then for good."""
        silent_ns = now_ns - self._beat_ns
        if silent_ns > self._settings.heartbeat_ns:
            text = f"the control loop was silent for {silent_ns * 1e-6:.0f} ms; the arm came to rest"
            self._lose(now_ns, "heartbeat_lost", text)
        elif silent_ns > self._hesitate_ns and self._mode is Mode.FOLLOW:
            self._journal.intervened(now_ns, "late", -1, silent_ns * 1e-9, self._hesitate_ns * 1e-9)
            self._brake(now_ns, Mode.HOLD)

    # -- the main process -------------------------------------------------------------------------------------------

    def _listen(self, now_ns: int) -> None:
        beaten = bool(self._boxes.beats.take())
        for number, kind, _, sent_ns, a, b, c, d, e, f, opening in self._boxes.commands.take():
            beaten = True
            if kind <= VELOCITY:
                self._command(now_ns, kind == VELOCITY, sent_ns, [a, b, c, d, e, f], opening)
            else:
                self._request(now_ns, number, kind)
        if beaten:
            self._beat_ns = now_ns
            self._observer.heard(now_ns)
        if not self._ending:
            gone = self._main_gone()
            if gone:
                self._status.fail("disconnected", gone)
                was_moving = self._armed
                self._end(now_ns, "main_gone", gone)
                if was_moving:
                    self._observer.brakes_for_silence()

    def _command(self, now_ns: int, velocity: bool, sent_ns: int, joints: list[float], opening: float) -> None:
        if self._status.fault or self._ending or self._mode is Mode.FAULT:
            return
        if not (all(map(math.isfinite, joints)) and math.isfinite(opening)):
            joint = next((i for i, q in enumerate(joints) if not math.isfinite(q)), -1)
            self._journal.intervened(now_ns, "non_finite", joint, joints[joint] if joint >= 0 else opening, math.nan)
            return
        mode: CommandMode = "velocity" if velocity else "position"
        if self._mode is not Mode.FOLLOW or self._follower.mode != mode:
            if self._mode is Mode.LIMP:
                self._started = False  # it was moved by hand: begin where it is, with the next command
                return
            self._follower.start(mode)
            self._mode, self._motion = Mode.FOLLOW, None
        self._armed = self._commanded = True
        self._opening = min(max(opening, 0.0), 1.0)
        self._follower.offer(joints, max(0, now_ns - sent_ns) * 1e-9)

    def _request(self, now_ns: int, number: int, kind: int) -> None:
        if kind == RECOVER:
            self._recover(now_ns, number)
            return
        may_give_way = self._mode in (Mode.FOLLOW, Mode.HOLD) or (self._mode is Mode.BRAKE and not self._status.fault)
        if kind == CLOSE:
            self._end(now_ns, "stop", "the run has ended")
        elif kind == STOP and self._mode in (Mode.FOLLOW, Mode.HOLD, Mode.BRAKE, Mode.PARK):
            self._journal.tell(HostEvent(now_ns, "stop", "told to stop"))
            self._armed = False
            self._brake(now_ns, Mode.HOLD)
        elif kind == LIMP and may_give_way:
            self._journal.tell(HostEvent(now_ns, "stop", "told to give way"))
            self._armed = False
            self._brake(now_ns, Mode.LIMP)
        elif self._mode is Mode.LIMP and kind == STOP and not self._status.fault:
            self._started = False  # held from now on, where it is
        self._status.answer(number, succeeded=True)

    def _end(self, now_ns: int, kind: EventKind, text: str) -> None:
        """Bring the arm to rest, do what the exit policy says, and end."""
        self._ending, self._armed = True, False
        self._journal.tell(HostEvent(now_ns, kind, text))
        if self._mode in (Mode.FAULT, Mode.LIMP) or (self._mode is Mode.PARK and self._recovering == 0):
            return
        self._recovering = 0
        self._brake(now_ns, None)

    # -- ways to rest -----------------------------------------------------------------------------------------------

    def _lose(self, now_ns: int, kind: EventKind, text: str) -> None:
        """The main process cannot be followed any more, until an operator says so."""
        self._armed = False
        self._status.fail("driver", text)
        self._journal.tell(HostEvent(now_ns, kind, text))
        self._brake(now_ns, None)
        self._observer.brakes_for_silence()

    def _was_away(self, now_ns: int, gap_ns: int) -> None:
        """The loop stood still for so long that the arm stands at its last setpoint, if it does not drift."""
        text = f"the driver or its process stood still for {gap_ns * 1e-6:.0f} ms; the arm came to rest"
        if self._mode in (Mode.FOLLOW, Mode.BRAKE, Mode.PARK):
            self._clamp.reset(self._clamp.joints)
        if self._mode is Mode.FOLLOW:
            self._lose(now_ns, "hang", text)
            return
        self._journal.tell(HostEvent(now_ns, "hang", text, duration_s=gap_ns * 1e-9))
        if self._mode in (Mode.BRAKE, Mode.PARK):
            self._brake(now_ns, self._next, anew=True)

    def _brake(self, now_ns: int, then: Mode | None, *, anew: bool = False) -> None:
        """Brake along the present motion; `then` is what follows, None for the exit policy."""
        self._next = then
        if self._mode is Mode.BRAKE and not anew:
            return
        clamp = self._clamp
        self._motion = to_rest(self._settings.limits, clamp.joints, clamp.velocities, clamp.accelerations)
        self._mode, self._elapsed_s = Mode.BRAKE, 0.0
        self._observer.brakes(now_ns)

    def _arrive(self, now_ns: int) -> None:
        """The setpoints rest."""
        assert self._motion is not None
        if self._mode is Mode.PARK:
            self._place, self._motion, self._mode = list(self._clamp.joints), None, Mode.HOLD
            self._journal.tell(HostEvent(now_ns, "hold", "parked"))
            return
        settling_s = self._elapsed_s - self._motion.duration_s
        if settling_s < SETTLE_S and not self._observer.rests:
            return
        self._place, self._motion = list(self._clamp.joints), None
        if not self._armed:  # it did not only hesitate
            event, details = self._observer.rest(now_ns)
            self._journal.tell(event, **details)
        self._after_rest(now_ns)

    @property
    def _policy(self) -> ExitPolicy:
        """An arm that nobody has commanded is left where it is."""
        return self._settings.exit_policy if self._commanded else "hold"

    def _after_rest(self, now_ns: int) -> None:
        policy = self._policy if self._next is None else self._next.value
        self._mode = Mode.HOLD
        if self._recovering:
            self._made_ready(now_ns, self._recovering)
        elif policy == "limp":
            self._driver.limp()
            self._mode = Mode.LIMP
            self._journal.tell(HostEvent(now_ns, "limp", "the arm gives way"))
        elif policy == "park":
            self._park(now_ns)
        elif self._next is None:
            self._journal.tell(HostEvent(now_ns, "hold", "the arm holds its place"))

    def _park(self, now_ns: int) -> None:
        park, around = self._settings.park_joints_rad, self._settings.surroundings
        assert park is not None
        met = around.in_the_way(self._place, park) if around is not None else ""
        self._cycle_ns = self._clock()  # that took more than a cycle; the arm rests
        if met:
            self._journal.tell(HostEvent(now_ns, "hold", f"the arm does not park: {met}"))
            return
        self._motion = to_park(self._settings.limits, self._place, list(park))
        if self._motion is None:
            self._journal.tell(HostEvent(now_ns, "hold", "no way to the parking place was found: the arm holds"))
            return
        self._mode, self._elapsed_s = Mode.PARK, 0.0
        text = f"the arm parks, in {self._motion.duration_s:.1f} s"
        self._journal.tell(HostEvent(now_ns, "park", text, duration_s=self._motion.duration_s))

    def _is_done(self) -> bool:
        return self._mode in (Mode.HOLD, Mode.LIMP) or (self._mode is Mode.FAULT and self._limp_at_ns is None)

    # -- faults -----------------------------------------------------------------------------------------------------

    def _fail(self, now_ns: int, kind: FaultKind, sentence: str) -> None:
        """The driver cannot command the arm: it is told to stop, and to give way if that is the policy."""
        self.calling = ("", 0)
        self._status.fail(kind, sentence)
        self._journal.tell(HostEvent(now_ns, "fault", sentence), fault=kind)
        if self._recovering:  # somebody waits for the answer
            self._status.answer(self._recovering, succeeded=False)
            self._recovering = 0
        known = self._mode is Mode.FAULT
        self._mode, self._motion = Mode.FAULT, None
        if known:
            return
        try:
            self._driver.stop()
        except Exception as error:
            traceback.print_exception(error)
        limits = self._settings.limits
        if self._policy == "limp":
            longest_s = max(
                v / a + a / j
                for v, a, j in zip(limits.velocity_rad_s, limits.acceleration_rad_s2, limits.jerk_rad_s3, strict=True)
            )
            self._limp_at_ns = now_ns + round(longest_s * 1e9)
        elif self._policy == "park":
            self._journal.tell(HostEvent(now_ns, "hold", "the arm cannot be moved to its parking place: it holds"))

    def _wait_in_fault(self, now_ns: int) -> bool:
        if self._limp_at_ns is not None and now_ns >= self._limp_at_ns:
            self._limp_at_ns = None
            self._driver.limp()
            self._journal.tell(HostEvent(now_ns, "limp", "the arm gives way, if its fault lets it"))
        return not (self._ending and self._is_done())

    def _recover(self, now_ns: int, number: int) -> None:
        """Make the arm ready on the operator's word; the answer comes when it rests."""
        if self._ending:
            self._status.answer(number, succeeded=False)
            return
        if self._mode in (Mode.FAULT, Mode.LIMP):
            self.calling, self._recovering = ("recover", now_ns), number
            try:
                self._driver.recover()
                self._limp_at_ns = None
                self._started = False
                self._mode = Mode.HOLD
                self._read(now_ns)
            except (ArmFault, EyehandError) as still:
                self._mode, self._recovering = Mode.FAULT, 0
                self._status.fail(still.kind if isinstance(still, ArmFault) else "disconnected", str(still))
                self._status.answer(number, succeeded=False)
                return
            finally:
                self.calling = ("", 0)
                self._cycle_ns = self._clock()
            self._made_ready(now_ns, number)
        elif self._mode in (Mode.BRAKE, Mode.PARK):
            self._recovering = number
            self._brake(now_ns, Mode.HOLD)
        else:
            self._made_ready(now_ns, number)

    def _made_ready(self, now_ns: int, number: int) -> None:
        self._recovering, self._armed = 0, False
        self._journal.tell(HostEvent(now_ns, "recovered", "ready again, on the operator's word"))
        self._status.recovered(number)
