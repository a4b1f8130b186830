"""The control loop on the wall clock: its ticks, the chunk that it follows, the operator's reset, and its watchdog."""

from __future__ import annotations

import threading
from collections.abc import Callable

from deploy.pacer import Pacer
from launch.control_path import LATCHING_BITS
from launch.executor import Executor
from launch.ladder import NEVER, Ladder
from launch.ledger import Outcome, Reason, Rung, Stage
from launch.schedulers.attempts import Attempts
from launch.schedulers.notes import CHUNK_TOO_LATE, STARVED, TICKS_MISSED, Notes
from launch.streams import Item
from policy.chunk_schedule import ChunkSchedule
from robot.arm import Arm, ArmFault, BufferedArm, RobotState

# joints slower than this rest: braking from above it must have ended before the control path starts anew at standstill
REST_RAD_S = 0.05
# an operator's reset that the control loop could not follow at once is void: nobody expects the arm to move later
RESET_NS = 1_000_000_000
# nor once they have given up waiting for an arm that had to be connected anew
RECOVERY_NS = 4_000_000_000


class ControlLoop:
    """The control loop of one episode. `run` and `watch` are for a thread each; the planning loop offers chunks.

    Args:
        executor: Runs and records the stages.
        ladder: Says what each tick may do.
        clock: The run clock [ns].
        arm: The arm.
        period_ns: Period [ns].
        schedule: Says when the next chunk is asked for.
        notes: Remarks for the person who runs this.
        stop: Set when the loop is to end, and by it when the episode is over.
        finished: Asked once per tick whether the episode is over.

    Attributes:
        ended: Set when the arm was told to stop and no tick follows.
        can_let_go: Whether a safe stop is latched and the arm rests: the operator may let go of it.
    """

    def __init__(
        self,
        executor: Executor,
        ladder: Ladder,
        clock: Callable[[], int],
        arm: Arm,
        period_ns: int,
        schedule: ChunkSchedule,
        notes: Notes,
        stop: threading.Event,
        finished: Callable[[], bool],
    ) -> None:
        self.ended = threading.Event()
        self.can_let_go = False
        self._executor, self._ladder, self._clock, self._arm = executor, ladder, clock, arm
        self._period_ns = period_ns
        self._schedule = schedule
        schedule.reset()
        self._notes, self._stop, self._finished = notes, stop, finished
        self._attempt = Attempts(ladder, notes)
        self._chunk: Item | None = None
        self._let_go_until_ns = self._from_ns = -1
        self._ticked_ns: int | None = None
        self._begun = False
        self._late: ArmFault | None = None  # was made ready, but later than anybody waited for

    # -- the planning loop's side -----------------------------------------------------------------------------------

    def needs_next(self, tracks: Item, now_ns: int) -> bool:
        """Whether a chunk should be planned now from these tracks; none from photons of before an operator's reset."""
        return tracks.photon_ns > self._from_ns and self._schedule.needs_next(now_ns, tracks.photon_ns)

    def request(self, tracks: Item, now_ns: int) -> tuple[int, int]:
        """What a plan is told: when its chunk is expected, from the photons on [ns], and the present chunk's number."""
        present = self._chunk
        ahead_ns = self._schedule.ahead_ns(now_ns, tracks.photon_ns)
        return ahead_ns, -1 if present is None else present.sequence

    def planned(self, delay_ns: int) -> None:
        """Note what planning took, from the request to the arrival [ns]."""
        self._schedule.planned(delay_ns)

    def offer(self, chunk: Item) -> None:
        """Take over a chunk that was planned, unless it came too late."""
        if chunk.photon_ns <= self._from_ns:
            return
        if self._schedule.offer(chunk.value, self._clock()) == "switched":
            self._chunk = chunk
        else:
            self._notes.add(CHUNK_TOO_LATE)

    # -- the operator's side ----------------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Have the loop let go of the safe stop, now or not at all."""
        self._let_go_until_ns = self._clock() + RESET_NS

    @property
    def owes_pulse(self) -> bool:
        """Whether it is between its first tick and its end."""
        return self._ticked_ns is not None

    # -- threads ----------------------------------------------------------------------------------------------------

    def run(self, prepare: Callable[[], None]) -> None:
        """Tick until told to stop; every way out tells the arm to stop: decelerate and hold.

        Args:
            prepare: Called first: what the thread asks of the system.
        """
        try:
            prepare()
            self._ticks()
        finally:
            self._ticked_ns = None
            try:
                self._arm.stop()
            finally:
                self.ended.set()

    def watch(self, prepare: Callable[[], None]) -> None:
        """Stop the arm when the loop is silent; its own ticks are what is listened to, to its end."""
        limit_ns = self._ladder.watchdog_ns
        if limit_ns >= NEVER:
            return
        prepare()
        while not self.ended.wait(min(0.02, limit_ns * 0.25e-9)):
            ticked_ns = self._ticked_ns
            if ticked_ns is not None and self._ladder.silent(self._clock(), ticked_ns):
                self._arm.stop()

    def _ticks(self) -> None:
        pacer, late_ns, skipped = Pacer(self._clock, self._period_ns), 0, 0
        while not self._stop.is_set():
            now_ns = self._ticked_ns = self._clock()
            if self._finished():
                self._stop.set()
                return
            self._tick(now_ns, late_ns)
            late_ns = pacer.wait()
            if pacer.skipped > skipped:
                skipped = pacer.skipped
                self._notes.add(TICKS_MISSED)

    def _tick(self, now_ns: int, late_ns: int) -> None:
        executor, ladder, clock, arm = self._executor, self._ladder, self._clock, self._arm
        try:
            if self._late is not None:
                raise self._late
            state = self._read(now_ns)
        except ArmFault as fault:
            self._cannot_be_commanded(fault, now_ns)
            return
        rests = _rests(state.value)
        if not (self._begun or rests):
            ladder.tick(now_ns, None, state.photon_ns)
            return  # it brakes from what was before: the control path begins at rest
        self._begun = True
        self.can_let_go = ladder.latched is not None and rests
        if self.can_let_go and clock() <= self._let_go_until_ns:
            self._start_anew(now_ns)
        chunk = self._chunk
        if chunk is not None and chunk.photon_ns <= self._from_ns:
            chunk = None  # it was being made when the operator reset
        rung = ladder.tick(now_ns, chunk, state.photon_ns)
        if rung is Rung.HOLD and self._schedule.is_starved(now_ns):
            self._notes.add(STARVED)
        command = self._attempt(
            Stage.IK, now_ns, state, lambda: executor.control(now_ns, chunk, state.sequence, rung, late_ns)
        )
        assert command is not None  # a control tick that failed has ended the run
        if command.value.note and command.value.outcome is not Outcome.OK:
            self._notes.add(command.value.note, command.value.kind)
        if command.value.interventions & LATCHING_BITS:
            ladder.latch(Reason.GOVERNOR, now_ns, stage=Stage.IK, item=command)
        started_ns = clock()
        if command.stale or not ladder.lets_through(rung, started_ns, command.photon_ns):
            return  # fenced, or while it was made the safe stop latched or its photons became too old
        try:
            arm.send(command.value.setpoint)
        except ArmFault as fault:
            self._cannot_be_commanded(fault, started_ns)
            return
        executor.sent(command, started_ns, clock() - started_ns)
        if ladder.silenced:
            arm.stop()  # the watchdog was faster than this command, which must not be the last word

    def _read(self, now_ns: int) -> Item:
        """Take in what the arm told since the last tick; the newest state."""
        arm = self._arm
        states = arm.read_states() if isinstance(arm, BufferedArm) else [arm.read_state()]
        for state in states[:-1]:
            self._executor.input_state(state, now_ns)
        return self._executor.input_state(states[-1], now_ns)

    def _cannot_be_commanded(self, fault: ArmFault, now_ns: int) -> None:
        """Latch the safe stop; on the operator's word have the arm made ready again."""
        ladder = self._ladder
        ladder.latch(Reason.ARM_FAULT, now_ns, detail=str(fault))
        self._chunk = None
        self.can_let_go = True
        if self._clock() > self._let_go_until_ns:
            return
        self._ticked_ns, self._let_go_until_ns = None, -1  # to connect anew takes its time: nothing moves meanwhile
        asked_ns = self._clock()
        try:
            self._arm.recover()
            now_ns = self._clock()
            self._read(now_ns)
        except ArmFault as still:
            self._notes.add(f"the arm is not ready yet: {still}", f"not ready {still.kind}")
            return
        if now_ns - asked_ns > RECOVERY_NS:
            self._late = fault
            self._notes.add("the arm was made ready, later than anybody waited for: it took another reset")
            return
        self._late = None
        self._start_anew(now_ns)

    def _start_anew(self, now_ns: int) -> None:
        """The operator's reset: the arm starts anew from where it is, and from photons that come after it."""
        self.can_let_go, self._let_go_until_ns = False, -1
        self._from_ns = now_ns
        self._chunk = None
        self._schedule.reset()
        self._executor.operator_reset(now_ns)
        self._ladder.reset(now_ns, Reason.OPERATOR_RESET)


def _rests(state: RobotState) -> bool:
    return bool((abs(state.joint_velocities_rad_s) < REST_RAD_S).all())
