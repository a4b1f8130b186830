"""Labels of several recordings: each has a list of classes of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.quantizing.judges import from_bags, labelled_bags
from perception.calibration import FrameRef
from perception.evaluation import LabelledImage
from tests.perception.evaluation.albums import Album
from tests.perception.evaluation.bags import write_bag

BAGS = (Path("monday"), Path("tuesday"))


def picture(grey: int) -> LabelledImage:
    image = np.full((48, 64, 3), grey, np.uint8)
    return LabelledImage(str(grey), image, np.array([[4.0, 6.0, 20.0, 30.0]], np.float32), np.zeros(1, np.int32))


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[FrameRef]:
    """Two recordings that show another class each, which is class 0 of both."""
    albums = {BAGS[0]: Album(("red_cube",), picture(1)), BAGS[1]: Album(("distractor",), picture(2))}
    monkeypatch.setattr("launch.quantizing.judges.has_labels", lambda bag: bag in albums)
    monkeypatch.setattr("launch.quantizing.judges.open_bag", lambda bag: albums[bag])
    return [FrameRef(bag, "wrist", 0) for bag in BAGS]


def test_classes_of_several_recordings_are_told_apart(
    recordings: list[FrameRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list(zip(recordings, (picture(1).image, picture(2).image), strict=True))
    monkeypatch.setattr("launch.quantizing.judges.images", lambda _: shown)
    judges = from_bags(BAGS, recordings, reference=None)  # type: ignore[arg-type]
    labelled = judges.labelled
    assert judges.labels == "labels of the recordings"
    assert labelled.class_names == ("distractor", "red_cube")
    names = [labelled.class_names[number] for one in labelled for number in one.class_ids]
    assert names == ["red_cube", "distractor"]


def test_frames_without_labels_do_not_judge(recordings: list[FrameRef], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.quantizing.judges.images", lambda _: [(recordings[0], picture(9).image)])
    with pytest.raises(BadInput, match=r"monday, tuesday: none of the 2 frames that were held out .* has labels"):
        from_bags(BAGS, recordings, reference=None)  # type: ignore[arg-type]


def test_recordings_with_labels_judge_for_those_without(
    recordings: list[FrameRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [(recordings[0], picture(1).image), (recordings[1], picture(9).image)]
    monkeypatch.setattr("launch.quantizing.judges.images", lambda _: shown)
    judges = from_bags((*BAGS, Path("wednesday")), recordings, reference=None)  # type: ignore[arg-type]
    assert (judges.labels, judges.own) == ("labels of 2 of the 3 recordings", False)
    assert [one.name for one in judges.labelled] == ["1"]


def test_labels_that_cannot_be_used_are_not_passed_over(tmp_path: Path) -> None:
    bad = write_bag(tmp_path / "bad", {7: ([[4.0, 6.0, 20.0, 30.0]], ["red_cube"])})
    with pytest.raises(BadInput, match="none of 1 messages of labels"):
        labelled_bags([write_bag(tmp_path / "none", {}), bad])
    assert labelled_bags([tmp_path / "none"]) == ()
