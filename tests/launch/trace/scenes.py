"""A ledger in which everything happens that a trace can show, on two cameras and over two episodes."""

from __future__ import annotations

from launch.ledger import Ledger, Outcome, Reason, Rows, Rung, Stage
from robot.verdict import INTERVENTION_KINDS

MS = 1_000_000
CAMERAS = ("wrist", "scene")
WRIST, SCENE = 0, 1
CLIPPED = 1 << INTERVENTION_KINDS.index("velocity") | 1 << INTERVENTION_KINDS.index("acceleration")


class Story:
    """Writes rows with times in milliseconds; what this machine took is `slower` times as long as the clock saw."""

    def __init__(self, slower: float = 1.0) -> None:
        self.ledger = Ledger()
        self._slower = slower

    def row(
        self, stage: Stage, sequence: int, now_ms: float, photon_ms: float, took_ms: float = 0, **more: int
    ) -> None:
        self.ledger.append(
            stage, sequence, round(now_ms * MS), round(photon_ms * MS) if photon_ms >= 0 else -1,
            modelled_ns=round(took_ms * MS), measured_ns=round(took_ms * MS * self._slower), **more,
        )  # fmt: skip

    def capture(self, camera: int, frame: int, photon_ms: float, arrived_ms: float) -> None:
        self.ledger.append(
            Stage.CAPTURE, frame, round(arrived_ms * MS), round(photon_ms * MS), camera=camera, frame=frame,
            modelled_ns=round((arrived_ms - photon_ms) * MS),
            measured_ns=round((arrived_ms - photon_ms) * MS * self._slower),
        )  # fmt: skip

    def decision(
        self, at_ms: float, rung: Rung, reason: Reason, value_ms: float = 0, limit_ms: float = 0, **more: int
    ) -> None:
        self.ledger.append(
            Stage.LADDER, 0, round(at_ms * MS), -1, rung=rung, decision=reason,
            measured_ns=round(value_ms * MS), modelled_ns=round(limit_ms * MS), **more,
        )  # fmt: skip

    def tick(
        self, command: int, at_ms: float, chunk: int = -1, photon_ms: float = -1, *, sent: bool = True, **more: int
    ) -> None:
        behind = {"camera": WRIST, "frame": 0} if chunk >= 0 else {}
        self.row(Stage.STATE, command, at_ms, at_ms)
        self.row(Stage.IK, command, at_ms, photon_ms, 1, input_sequence=chunk, other=command, **behind, **more)
        if sent:
            self.row(Stage.SEND, command, at_ms + 1, photon_ms, 1, input_sequence=command, **behind)


def everything(slower: float = 1.0) -> Rows:
    """The whole story."""
    story = Story(slower)
    row, tick, decide = story.row, story.tick, story.decision
    wrist = {"camera": WRIST}
    row(Stage.EPISODE, 0, 0, 0)
    tick(0, 0, outcome=Outcome.HELD)
    story.capture(WRIST, 0, 0, 5)
    row(Stage.DETECT, 0, 5, 0, 15, input_sequence=0, frame=0, **wrist)
    story.capture(SCENE, 0, 2, 10)
    row(Stage.LOCALIZE, 0, 20, 0, 2, input_sequence=0, frame=0, **wrist)
    row(Stage.TRACK, 0, 22, 0, 1, input_sequence=0, frame=0, **wrist)
    story.capture(WRIST, 1, 33, 38)
    # the scene's frame waited for 13 ms and takes longer than its hard limit
    row(Stage.DETECT, 1, 23, 2, 52, camera=SCENE, input_sequence=0, frame=0, outcome=Outcome.STALE, wait_ns=13 * MS)
    decide(71, Rung.DROP, Reason.OVERTAKEN, 38, camera=WRIST, input_sequence=1, frame=1)
    story.capture(WRIST, 2, 66, 71)
    decide(75, Rung.OVERRUN, Reason.FENCED, 52, 40, camera=SCENE, input_sequence=0, frame=0, other=Stage.DETECT)
    decide(75, Rung.FALLBACK, Reason.MISSES, 52, 20, camera=SCENE, frame=0, other=Stage.DETECT, engine=1)
    # too little time for the wrist's: predicted, and planned on that; the photons are those of the last look
    decide(
        75, Rung.PREDICT, Reason.LITTLE_TIME_LEFT, 11, 20, wait_ns=11 * MS, camera=WRIST, frame=2, other=Stage.DETECT
    )
    row(Stage.TRACK, 1, 75, 0, 1, other=2, frame=0, rung=Rung.PREDICT, wait_ns=4 * MS, **wrist)
    row(Stage.PLAN, 0, 76, 0, 8, input_sequence=1, other=0, frame=0, **wrist)
    tick(1, 90, 0, 0)
    decide(100, Rung.CONTINUE, Reason.NO_FRESH_CHUNK, 100, 99, camera=WRIST, frame=0)
    tick(2, 100, 0, 0, rung=Rung.CONTINUE, outcome=Outcome.CLIPPED, decision=CLIPPED)
    story.capture(WRIST, 3, 99, 104)
    story.capture(SCENE, 1, 100, 108)
    row(Stage.DETECT, 2, 108, 100, 6, camera=SCENE, input_sequence=1, frame=1, engine=1)
    decide(110, Rung.HOLD, Reason.CHUNK_EXHAUSTED, 10, camera=WRIST, frame=0)
    tick(3, 110, 0, 0, rung=Rung.HOLD, outcome=Outcome.HELD)
    row(Stage.LOCALIZE, -1, 114, 100, 0, camera=SCENE, input_sequence=2, frame=1, engine=1, outcome=Outcome.DROPPED)
    row(Stage.DETECT, 3, 114, 99, 6, input_sequence=3, frame=3, engine=1, wait_ns=10 * MS, **wrist)
    row(Stage.LOCALIZE, 1, 120, 99, 2, input_sequence=3, frame=3, engine=1, **wrist)
    decide(120, Rung.DROP, Reason.KEPT_AGAIN, 20, camera=WRIST, frame=0)
    decide(120, Rung.FALLBACK, Reason.KEPT_AGAIN, 6, 20, camera=WRIST, frame=3, other=Stage.DETECT)
    row(Stage.TRACK, 2, 122, 99, 1, input_sequence=1, frame=3, engine=1, **wrist)
    row(Stage.PLAN, -1, 123, 99, 0, input_sequence=2, frame=3, engine=1, outcome=Outcome.ERROR, **wrist)
    story.capture(SCENE, 2, 101, 125)
    decide(125, Rung.DROP, Reason.TOO_LATE, 24, camera=SCENE, input_sequence=2, frame=2)
    tick(4, 133, 0, 0, wait_ns=3 * MS, outcome=Outcome.STALE, sent=False)
    decide(140, Rung.STOP, Reason.WATCHDOG, 29, 25)
    decide(150, Rung.DROP, Reason.OPERATOR_RESET)
    story.capture(SCENE, 3, 118, 160)  # two of the scene's frames are on their way at once
    story.capture(WRIST, 4, 165, 170)
    row(Stage.DETECT, 4, 170, 165, 15, input_sequence=4, frame=4, **wrist)  # the episode ends before it does
    story.capture(SCENE, 4, 151, 179)
    row(Stage.EPISODE, 1, 180, 180)  # frames are counted anew, values are not
    story.capture(WRIST, 0, 180, 185)
    row(Stage.DETECT, 5, 185, 180, 15, input_sequence=0, frame=0, **wrist)
    row(Stage.LOCALIZE, 2, 200, 180, 2, input_sequence=5, frame=0, **wrist)
    row(Stage.TRACK, 3, 202, 180, 1, input_sequence=2, frame=0, **wrist)
    row(Stage.PLAN, 1, 203, 180, 10, input_sequence=3, frame=0, **wrist)
    tick(5, 210)
    tick(6, 220, 1, 180)
    tick(7, 230, 1, 180)
    return story.ledger.take()
