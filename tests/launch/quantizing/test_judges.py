"""Labels of several recordings: each has a list of classes of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.quantizing.judges import from_bags
from perception.calibration import FrameRef
from perception.evaluation import LabelledImage
from tests.perception.evaluation.albums import Album

BAGS = (Path("monday"), Path("tuesday"))


def picture(grey: int) -> LabelledImage:
    image = np.full((48, 64, 3), grey, np.uint8)
    return LabelledImage(str(grey), image, np.array([[4.0, 6.0, 20.0, 30.0]], np.float32), np.zeros(1, np.int32))


@pytest.fixture
def recordings(monkeypatch: pytest.MonkeyPatch) -> list[FrameRef]:
    """Two recordings that show another class each, which is class 0 of both."""
    albums = {BAGS[0]: Album(("red_cube",), picture(1)), BAGS[1]: Album(("distractor",), picture(2))}
    monkeypatch.setattr("launch.quantizing.judges.open_labelled", lambda bag: albums[bag])
    return [FrameRef(bag, "wrist", 0) for bag in BAGS]


def test_classes_of_several_recordings_are_told_apart(
    recordings: list[FrameRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list(zip(recordings, (picture(1).image, picture(2).image), strict=True))
    monkeypatch.setattr("launch.quantizing.judges.images", lambda _: shown)
    labelled = from_bags(BAGS, recordings, reference=None).labelled  # type: ignore[arg-type]
    assert labelled.class_names == ("distractor", "red_cube")
    names = [labelled.class_names[number] for one in labelled for number in one.class_ids]
    assert names == ["red_cube", "distractor"]


def test_frames_without_labels_do_not_judge(recordings: list[FrameRef], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launch.quantizing.judges.images", lambda _: [(recordings[0], picture(9).image)])
    with pytest.raises(BadInput, match=r"monday, tuesday: none of the 2 frames that were held out .* has labels"):
        from_bags(BAGS, recordings, reference=None)  # type: ignore[arg-type]
