from __future__ import annotations

import pytest

from launch.ledger import Ledger, Rows, Rung, Stage
from launch.trace import frame_paths
from tests.launch.trace.scenes import SCENE, WRIST, Story


def ways(rows: Rows) -> dict[tuple[int, int, int], list[str]]:
    """What the frame of a camera passes, by order of its CAPTURE row: number, camera, frame."""
    paths = frame_paths(rows)
    found: dict[tuple[int, int, int], list[str]] = {}
    for capture, row in zip(paths.capture.tolist(), paths.row.tolist(), strict=True):
        key = (int(rows["order"][capture]), int(rows["camera"][capture]), int(rows["sequence"][capture]))
        found.setdefault(key, []).append(f"{Stage(rows['stage'][row]).label} {rows['sequence'][row]}")
    return found


def one_frame(*ticks: tuple[int, int], sent: tuple[int, ...] = (0, 1, 2)) -> Rows:
    """A frame whose photons led to chunk 0, and control ticks, each with its chunk and its rung."""
    story = Story()
    story.capture(WRIST, 3, 0, 5)
    for number, stage in enumerate((Stage.DETECT, Stage.LOCALIZE, Stage.TRACK, Stage.PLAN)):
        story.row(stage, 0, 5 + number, 0, 1, input_sequence=0 if number else 3, camera=WRIST, frame=3)
    for command, (chunk, rung) in enumerate(ticks):
        story.tick(command, 10 + 10 * command, chunk, 0, rung=rung, sent=command in sent)
    return story.ledger.take()


@pytest.mark.parametrize(
    ("rows", "command"),
    [
        (one_frame((0, 0), (0, 0)), 0),
        (one_frame((-1, 0), (0, 0), (0, 0)), 1),
        (one_frame((0, 0), (0, 0), sent=(1,)), 1),  # the first one was fenced
        (one_frame((0, Rung.HOLD), (0, Rung.CONTINUE)), 1),  # an arm that holds follows nothing
        (one_frame((0, Rung.HOLD)), None),
        (one_frame((-1, 0)), None),
    ],
)
def test_way_ends_with_the_first_command_that_follows_its_chunk(rows: Rows, command: int | None) -> None:
    (way,) = ways(rows).values()
    sent = [] if command is None else [f"ik {command}", f"send {command}"]
    assert way == ["capture 3", "detect 0", "localize 0", "track 0", "plan 0", *sent]


def test_first_of_several_plans_that_led_to_a_command() -> None:
    story = Story()
    story.capture(WRIST, 0, 0, 5)
    story.row(Stage.DETECT, 0, 5, 0, input_sequence=0, camera=WRIST)
    story.row(Stage.LOCALIZE, 0, 6, 0, input_sequence=0)
    story.row(Stage.TRACK, 0, 7, 0, input_sequence=0)
    story.row(Stage.PLAN, 0, 8, 0, input_sequence=0)  # its chunk came too late to be used
    story.row(Stage.TRACK, 1, 20, 0, other=1, rung=Rung.PREDICT, camera=WRIST)
    story.row(Stage.PLAN, 1, 21, 0, input_sequence=1)
    story.tick(0, 30, 1, 0)
    assert list(ways(story.ledger.take()).values()) == [
        ["capture 0", "detect 0", "localize 0", "track 0", "track 1", "plan 1", "ik 0", "send 0"]
    ]


def test_frames_of_one_number_are_told_apart_by_camera_and_episode() -> None:
    story = Story()
    for episode in range(2):
        story.row(Stage.EPISODE, episode, 100 * episode, 0)
        for camera in (WRIST, SCENE):
            story.capture(camera, 7, 100 * episode, 100 * episode + 5 + camera)
        for number, camera in enumerate((SCENE, WRIST)):
            story.row(
                Stage.DETECT, 2 * episode + number, 100 * episode + 10 + number, 0, input_sequence=7, camera=camera
            )
    assert list(ways(story.ledger.take()).values()) == [
        ["capture 7", "detect 1"], ["capture 7", "detect 0"], ["capture 7", "detect 3"], ["capture 7", "detect 2"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "left"), [(Stage.DETECT, 1), (Stage.LOCALIZE, 2), (Stage.TRACK, 3), (Stage.PLAN, 4), (Stage.IK, 5)]
)
def test_way_ends_before_rows_that_were_lost(lost: Stage, left: int) -> None:
    rows = one_frame((0, 0))
    way = ["capture 3", "detect 0", "localize 0", "track 0", "plan 0"]
    assert list(ways(rows[rows["stage"] != lost]).values()) == [way[:left]]


def test_nothing_is_known_of_a_frame_whose_capture_was_lost() -> None:
    assert ways(one_frame((0, 0))[1:]) == {}
    assert ways(Ledger().take()) == {}
