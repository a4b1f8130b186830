"""Frames to calibrate a quantized detector on, and others to judge it by, out of recordings.

A recording repeats itself: a camera that stands still gives a thousand times the same picture. So near-duplicates are
left out, the rest is stratified by camera and brightness and spread over time, and what is held out comes from other
stretches of time than what is calibrated on.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from deploy.errors import BadInput
from geometry.types import Image
from perception.sources.bag_cameras import choose_camera, find_cameras
from perception.sources.bag_file import BagFile
from perception.sources.bag_frames import FrameAssembler

LEAST = 16  # distinct frames: below that ranges say little
_THUMB = (16, 12)
_SAME = 6  # grey levels: the largest difference of two thumbnails that show the same
_RECENT = 64  # distinct pictures of a camera that a new one is compared with
_BLOCKS = 20  # stretches of time of each recording
_HELD_OUT_EVERY = 4  # of them is held out
_TONES = 3


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Where a frame is: recording, camera, and its number among the camera's frames in the recording."""

    bag: Path
    camera: str
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The distinct frames of recordings.

    Attributes:
        refs: Where they are, in the order of the recordings.
        thumbs: Shape (N, 12, 16, 3), int16: small versions.
        block: Shape (N,): stretch of time of its recording that each is in, 0 to 19.
        digests: Hash of each frame's pixels.
        seen: Frames that were looked at.
    """

    refs: tuple[FrameRef, ...]
    thumbs: npt.NDArray[np.int16]
    block: npt.NDArray[np.int64]
    digests: tuple[str, ...]
    seen: int


@dataclass(frozen=True, slots=True)
class Split:
    """Frames to calibrate on, and frames to judge by that look like none of them."""

    calibration: tuple[FrameRef, ...]
    held_out: tuple[FrameRef, ...]


def survey(bags: Iterable[Path], exclude: Iterable[Image] = ()) -> Survey:
    """Look at every colour frame of recordings, and note those that differ from what came shortly before.

    A frame that an earlier recording has to the bit counts once: a recording may be named twice, or be a copy.

    Args:
        bags: Run folders or bags, with one or more cameras each.
        exclude: Images that must not be calibrated on, nor what looks like one of them.

    Raises:
        BadInput: If one is no bag or has no images, or if fewer than 16 distinct frames are left.
    """
    refs: list[FrameRef] = []
    thumbs: list[npt.NDArray[np.int16]] = []
    blocks: list[npt.NDArray[np.int64]] = []
    digests: list[str] = []
    seen = excluded = 0
    places = list(bags)
    others = [_thumb(image) for image in exclude]
    apart = np.stack(others) if others else np.zeros((0, *_THUMB[::-1], 3), np.int16)
    for bag in places:
        earlier = set(digests)
        for camera in _camera_names(bag):
            kept: list[npt.NDArray[np.int16]] = []
            stamps: list[int] = []
            for index, stamp_ns, image in _frames(bag, camera):
                seen += 1
                thumb = _thumb(image)
                if kept and _nearest(thumb, np.stack(kept[-_RECENT:])) <= _SAME:
                    continue
                if _nearest(thumb, apart) <= _SAME:
                    excluded += 1
                    continue
                digest = image_digest(image)
                if digest in earlier:
                    continue
                kept.append(thumb)
                stamps.append(stamp_ns)
                digests.append(digest)
                refs.append(FrameRef(bag, camera, index))
            thumbs += kept
            blocks.append(_blocks(stamps))
    if len(refs) < LEAST:
        raise BadInput(
            f"{', '.join(map(str, places))}: {seen} frames, of which {len(refs)} are distinct"
            f"{f' and {excluded} look like one to judge by' if excluded else ''}: expected at least {LEAST} to "
            "calibrate on; record more, or from more places"
        )
    return Survey(tuple(refs), np.stack(thumbs), np.concatenate(blocks), tuple(digests), seen)


def split(found: Survey, count: int, held_out: int = 0) -> Split:
    """Choose frames: by camera and brightness in proportion, spread over time within each.

    Args:
        found: The distinct frames.
        count: Frames to calibrate on; fewer if there are not as many.
        held_out: Frames to hold out, from every fourth of twenty stretches of time; those that look like one of the
            calibration's are left out.
    """
    aside = (found.block % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1) if held_out else np.zeros(len(found.refs), bool)
    chosen = _stratified(found, np.flatnonzero(~aside), count)
    others = np.array(
        [row for row in np.flatnonzero(aside) if _nearest(found.thumbs[row], found.thumbs[chosen]) > _SAME], np.int64
    )
    judged = _stratified(found, others, held_out)
    return Split(tuple(found.refs[row] for row in chosen), tuple(found.refs[row] for row in judged))


def images(refs: Sequence[FrameRef]) -> Iterator[tuple[FrameRef, Image]]:
    """The frames themselves, in one pass over each recording; (H, W, 3), uint8, blue, green, red."""
    wanted: dict[tuple[Path, str], dict[int, FrameRef]] = defaultdict(dict)
    for ref in refs:
        wanted[(ref.bag, ref.camera)][ref.index] = ref
    for (bag, camera), by_index in wanted.items():
        last = max(by_index)
        for index, _, image in _frames(bag, camera):
            if index in by_index:
                yield by_index[index], image
            if index >= last:
                break


def image_digest(image: Image) -> str:
    """Hash of an image's size and pixels, hexadecimal."""
    digest = hashlib.sha256(str(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _stratified(found: Survey, rows: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Rows to take: each stratum gives its share, from places evenly spaced in time."""
    if count >= len(rows):
        return rows
    brightness = found.thumbs[rows].mean(axis=(1, 2, 3))
    edges = np.quantile(brightness, np.linspace(0.0, 1.0, _TONES + 1)[1:-1])
    tone = np.searchsorted(edges, brightness)
    strata: dict[tuple[Path, str, int], list[int]] = defaultdict(list)
    for row, level in zip(rows.tolist(), tone.tolist(), strict=True):
        ref = found.refs[row]
        strata[(ref.bag, ref.camera, level)].append(row)
    shares = np.array([len(members) * count / len(rows) for members in strata.values()])
    quotas = np.floor(shares).astype(int)
    remainder = np.argsort(-(shares - quotas), kind="stable")[: count - quotas.sum()]
    quotas[remainder] += 1
    taken = [
        members[int((position + 0.5) * len(members) / quota)]
        for members, quota in zip(strata.values(), quotas.tolist(), strict=True)
        for position in range(quota)
    ]
    return np.array(sorted(taken), np.int64)


def _thumb(image: Image) -> npt.NDArray[np.int16]:
    small: npt.NDArray[np.int16] = cv2.resize(image, _THUMB, interpolation=cv2.INTER_AREA).astype(np.int16)
    return small


def _nearest(thumb: npt.NDArray[np.int16], others: npt.NDArray[np.int16]) -> int:
    """How much a small picture differs from the one most like it, at its worst place [grey levels]."""
    return int(np.abs(others - thumb).reshape(len(others), -1).max(axis=1).min()) if len(others) else 255


def _blocks(stamps: list[int]) -> npt.NDArray[np.int64]:
    times = np.array(stamps, np.float64)
    since = times - times.min(initial=np.inf)
    span = max(float(since.max(initial=0.0)), 1.0)
    blocks: npt.NDArray[np.int64] = np.minimum(since / span * _BLOCKS, _BLOCKS - 1).astype(np.int64)
    return blocks


def _camera_names(path: Path) -> list[str]:
    bag = BagFile(path)
    try:
        cameras = find_cameras(bag)
        return [camera.name for camera in cameras] or [choose_camera(bag, cameras, None, need_depth=False).name]
    finally:
        bag.close()


def _frames(path: Path, camera: str) -> Iterator[tuple[int, int, Image]]:
    """Number, stamp [ns] and colour image of each frame of a camera; depth is not read."""
    bag = BagFile(path)
    try:
        found = choose_camera(bag, find_cameras(bag), camera, need_depth=False)
        colour_only = replace(found, depth_topic=None, depth_metadata_topic=None, row_topic=None)
        assembler = FrameAssembler(bag, colour_only)
        index = 0
        for message in bag.messages(colour_only.topics):
            for frame in assembler.push(message):
                yield index, frame.stamp_ns, frame.color
                index += 1
        for frame in assembler.flush():
            yield index, frame.stamp_ns, frame.color
            index += 1
    finally:
        bag.close()
