"""Calibration frames: distinct, spread over cameras, brightness and time, and apart from what judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from geometry.camera import Camera
from launch.bag import BagWriter
from perception.calibration import FrameRef, images, split, survey
from perception.frame import Frame

SIZE = (64, 48)
CAMERA = Camera(width=SIZE[0], height=SIZE[1], fx=60.0, fy=60.0, cx=32.0, cy=24.0)
MS = 1_000_000


def scene(number: int, brightness: float = 0.5) -> np.ndarray:
    """A picture of its own: blocks that are larger than what a thumbnail averages away."""
    rng = np.random.default_rng(number)
    blocks = rng.uniform(0.0, 255.0 * brightness, (6, 8, 3)).astype(np.uint8)
    return np.ascontiguousarray(blocks.repeat(8, axis=0).repeat(8, axis=1))


def bag(
    folder: Path, pictures: Iterable[np.ndarray], cameras: tuple[str, ...] = ("wrist",), depth: bool = False
) -> Path:
    with BagWriter(folder) as writer:
        for index, picture in enumerate(pictures):
            for name in cameras:
                stamp = (index + 1) * 33 * MS
                far = np.full(SIZE[::-1], 500, np.uint16) if depth else None
                writer.write_frame(Frame(name, index, stamp, stamp, picture, far, 0.001, CAMERA), stamp)
    return folder


def index_of(refs: Iterable[FrameRef]) -> list[int]:
    return [ref.index for ref in refs]


def test_a_picture_that_comes_again_counts_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def noisy(number: int) -> np.ndarray:
        return (scene(number).astype(int) + rng.integers(-3, 4, (48, 64, 3))).clip(0, 255).astype(np.uint8)

    found = survey([bag(tmp_path / "run", [noisy(index // 5) for index in range(100)])])
    assert (found.seen, len(found.refs)) == (100, 20)
    assert index_of(found.refs) == list(range(0, 100, 5))


def test_what_judges_comes_from_other_stretches_of_time(tmp_path: Path) -> None:
    found = survey([bag(tmp_path / "run", [scene(index) for index in range(200)])])
    chosen = split(found, 60, 30)
    assert (len(chosen.calibration), len(chosen.held_out)) == (60, 30)
    blocks = dict(zip(found.refs, found.block.tolist(), strict=True))
    assert {blocks[ref] % 4 for ref in chosen.held_out} == {3}
    assert {blocks[ref] for ref in chosen.calibration} == {block for block in range(20) if block % 4 != 3}


def test_what_judges_looks_like_nothing_that_was_calibrated_on(tmp_path: Path) -> None:
    """The recording shows its first quarter again at the end, where frames are held out."""
    pictures = [scene(index % 150) for index in range(200)]
    found = survey([bag(tmp_path / "run", pictures)])
    chosen = split(found, 200, 200)
    seen = {ref.index % 150 for ref in chosen.calibration}
    assert seen.isdisjoint({ref.index % 150 for ref in chosen.held_out})
    assert chosen.held_out


def test_every_camera_and_brightness_gives_its_share(tmp_path: Path) -> None:
    dark = bag(tmp_path / "dark", [scene(index, 0.2) for index in range(30)], ("wrist", "front"))
    light = bag(tmp_path / "light", [scene(100 + index, 1.0) for index in range(60)])
    found = survey([dark, light])
    assert len(found.refs) == 120
    chosen = split(found, 24).calibration
    count = {key: sum((ref.bag.name, ref.camera) == key for ref in chosen) for key in
             [("dark", "wrist"), ("dark", "front"), ("light", "wrist")]}  # fmt: skip
    assert count == {("dark", "wrist"): 6, ("dark", "front"): 6, ("light", "wrist"): 12}
    lit = [ref.index for ref in chosen if ref.bag.name == "light"]
    assert min(lit) < 15
    assert max(lit) > 45


def test_fewer_frames_than_asked_for_are_all_taken(tmp_path: Path) -> None:
    found = survey([bag(tmp_path / "run", [scene(index) for index in range(20)])])
    assert len(split(found, 400).calibration) == 20


def test_images_are_those_of_the_recording(tmp_path: Path) -> None:
    path = bag(tmp_path / "run", [scene(index) for index in range(40)], depth=True)
    refs = split(survey([path]), 10).calibration
    read = list(images(refs))
    assert [ref for ref, _ in read] == list(refs)
    assert all(np.array_equal(image, scene(ref.index)) for ref, image in read)


def test_images_of_the_evaluation_are_kept_out_and_what_looks_like_them(tmp_path: Path) -> None:
    path = bag(tmp_path / "run", [scene(index) for index in range(40)])
    noise = np.random.default_rng(0)
    judged = [scene(index) for index in range(0, 40, 4)]  # to the bit
    judged += [np.clip(scene(index) + noise.integers(-3, 4), 0, 255).astype(np.uint8) for index in range(2, 40, 4)]
    assert index_of(survey([path], judged).refs) == list(range(1, 40, 2))
    with pytest.raises(BadInput, match="40 frames, of which 0 are distinct and 40 look like one to judge by: expected"):
        survey([path], [scene(index) for index in range(40)])


def test_a_recording_that_is_named_twice_or_copied_counts_once(tmp_path: Path) -> None:
    first, copy = (bag(tmp_path / name, [scene(index) for index in range(20)]) for name in ("run", "copy"))
    found = survey([first, first, copy])
    assert found.seen == 60
    assert found.refs == survey([first]).refs


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: bag(folder, [scene(0)] * 50), "50 frames, of which 1 are distinct: expected at least 16"),
        (lambda folder: folder, "run"),
    ],
)
def test_what_cannot_be_calibrated_on_is_refused(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        survey([make(tmp_path / "run")])


def test_the_choice_is_the_same_every_time(tmp_path: Path) -> None:
    path = bag(tmp_path / "run", [scene(index) for index in range(100)])
    assert split(survey([path]), 30, 20) == split(survey([path]), 30, 20)
