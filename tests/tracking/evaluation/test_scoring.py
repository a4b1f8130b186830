"""Figures that arithmetic gives, and figures that others publish."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from tests.tracking.evaluation.sequences import boxes, places, select, street
from tracking.evaluation import Scores, evaluate, read_identified
from tracking.mot_files import MotRows

pytest.importorskip("motmetrics")
pytestmark = pytest.mark.filterwarnings("error")

LEFT, RIGHT = (0, 0, 30, 60), (200, 0, 30, 60)
NONE = boxes([])


def two(first: tuple[int, ...], second: tuple[int, ...]) -> MotRows:
    """Three frames of an identity at the left and one at the right each."""
    left = [(frame, identity, *LEFT) for frame, identity in enumerate(first, start=1)]
    return boxes([*left, *((frame, identity, *RIGHT) for frame, identity in enumerate(second, start=1))])


def test_perfect_whatever_the_identities_are_called() -> None:
    scores = evaluate(two((5, 5, 5), (9, 9, 9)), two((70, 70, 70), (3, 3, 3)))
    for name in ("mota", "motp", "idf1", "idp", "idr", "hota", "deta", "assa", "loca", "precision", "recall"):
        assert getattr(scores, name) == pytest.approx(1.0), name
    assert (scores.fp, scores.fn, scores.ids, scores.fragmentations) == (0, 0, 0, 0)
    assert (scores.objects, scores.truth_rows, scores.track_rows, scores.frames) == (2, 6, 6, 3)
    assert (scores.mostly_tracked, scores.mostly_lost, scores.notes) == (2, 0, ())


def test_swap_of_identities() -> None:
    scores = evaluate(two((1, 1, 1), (2, 2, 2)), two((1, 1, 2), (2, 2, 1)))
    assert (scores.fp, scores.fn, scores.ids) == (0, 0, 2)
    assert scores.mota == pytest.approx(1 - 2 / 6)
    assert scores.idf1 == scores.idp == scores.idr == pytest.approx(4 / 6)
    # Pairs that stay share 2 of 3 + 3 - 2 frames, those that do not 1 of 3 + 3 - 1.
    assert scores.assa == pytest.approx((4 * 2 / 4 + 2 * 1 / 5) / 6)
    assert scores.deta == pytest.approx(1.0)
    assert scores.hota == pytest.approx(math.sqrt(0.4))


def test_a_miss_and_a_false_positive() -> None:
    truth = boxes([(frame, 1, *LEFT) for frame in (1, 2, 3)])
    scores = evaluate(truth, boxes([(1, 7, *LEFT), (2, 8, *RIGHT), (3, 7, *LEFT)]))
    assert (scores.fp, scores.fn, scores.ids, scores.fragmentations) == (1, 1, 0, 1)
    assert scores.mota == pytest.approx(1 / 3)
    assert scores.precision == scores.recall == scores.idf1 == pytest.approx(2 / 3)
    assert scores.deta == pytest.approx(2 / 4)
    assert scores.assa == pytest.approx(2 / 3)  # 2 frames together, 3 of the object and 2 of the track
    assert scores.hota == pytest.approx(math.sqrt(1 / 3))


def test_another_track_after_a_gap_is_one_switch() -> None:
    truth = boxes([(frame, 1, *LEFT) for frame in (1, 2, 3, 4)])
    scores = evaluate(truth, boxes([(1, 7, *LEFT), (4, 8, *LEFT)]))
    assert (scores.fn, scores.ids, scores.fragmentations, scores.mostly_tracked) == (2, 1, 1, 0)
    assert scores.mota == pytest.approx(1 - 3 / 4)


def test_overlap_of_one_half_matches_at_one_half() -> None:
    truth = boxes([(frame, 1, 0, 0, 30, 60) for frame in (1, 2, 3)])
    tracks = boxes([(frame, 1, 10, 0, 30, 60) for frame in (1, 2, 3)])  # 20 in common of 40
    scores = evaluate(truth, tracks)
    assert (scores.mota, scores.motp) == pytest.approx((1.0, 0.5))
    # Matched at 10 of 19 thresholds: .05 to .50; where nothing is matched, localization counts as 1.
    assert scores.hota == scores.deta == scores.assa == pytest.approx(10 / 19)
    assert scores.loca == pytest.approx((10 * 0.5 + 9) / 19)
    strict = evaluate(truth, tracks, iou=0.51)
    assert (strict.mota, strict.fp, strict.fn) == (-1.0, 3, 3)
    assert strict.motp is None
    assert strict.precision == 0.0
    assert strict.hota == scores.hota, "HOTA has thresholds of its own"


def test_no_tracks() -> None:
    scores = evaluate(two((1, 1, 1), (2, 2, 2)), NONE)
    assert (scores.mota, scores.idf1, scores.idr, scores.recall, scores.hota, scores.deta, scores.assa) == (0.0,) * 7
    assert [scores.motp, scores.idp, scores.precision, scores.loca] == [None] * 4
    assert (scores.fp, scores.fn, scores.mostly_lost, scores.track_rows) == (0, 6, 2, 0)


def test_frames_of_one_side_alone() -> None:
    truth = boxes([(2, 1, *LEFT), (9, 1, *LEFT)])
    scores = evaluate(truth, boxes([(4, 1, *LEFT), (9, 1, *LEFT), (11, 1, *LEFT)]))
    assert (scores.fp, scores.fn, scores.frames) == (2, 1, 4)
    assert scores.notes == (
        "tracks: 1 of 3 rows outside the frames 2 to 9 of the truth, all false positives: are both numbered alike?",
    )


def test_places_match_up_to_the_distance() -> None:
    truth = places([(1, 1, 0, 0, 1), (2, 1, 1.0, 0, 1), (3, 1, 2.0, 0, 1)])
    tracks = places([(1, 1, 0, 0, 1), (2, 1, 1.1, 0, 1), (3, 1, 2.0, 0.102, 1)])
    scores = evaluate(truth, tracks, distance_m=0.1)
    assert (scores.fp, scores.fn, scores.similarity, scores.threshold) == (1, 1, "distance", 0.1)
    assert scores.motp == pytest.approx((1.0 + 0.5) / 2)
    assert scores.mean_distance_m == pytest.approx(0.05)
    # Similarities 1, .5 and .49: 3 matches at 9 thresholds, 2 at .50, 1 at the 9 above.
    assert scores.deta == pytest.approx((9 * 1 + 2 / 4 + 9 * 1 / 5) / 19)
    assert evaluate(truth, tracks, distance_m=0.11).fp == 0


def test_places_three_times_as_far_are_not_alike_at_all() -> None:
    scores = evaluate(places([(1, 1, 0, 0, 0)]), places([(1, 1, 0.3, 0, 0)]), distance_m=0.1)
    assert (scores.hota, scores.loca, scores.mean_distance_m) == (0.0, None, None)


@pytest.mark.parametrize(
    ("truth", "tracks", "options", "message"),
    [
        (NONE, two((1,), (2,)), {}, "truth: no row of 0 counts: give ground truth"),
        (NONE, NONE, {}, "truth: no row of 0 counts"),
        (two((1,), (2,)), NONE, {"iou": 0.0}, "overlap 0.0: expected an IoU above 0"),
        (two((1,), (2,)), NONE, {"iou": 50.0}, "up to 1"),
        (two((1,), (2,)), NONE, {"iou": math.nan}, "overlap nan"),
        (two((1,), (2,)), NONE, {"distance_m": -1.0}, "distance -1.0: expected more than 0 m"),
        (two((1,), (2,)), NONE, {"distance_m": math.nan}, "distance nan"),
        (two((1,), (2,)), NONE, {"distance_m": math.inf}, "distance inf"),
        (two((1,), (2,)), NONE, {"distance_m": 0.1}, "truth: 2 of 2 rows have no x,y,z in metres"),
        (places([(1, 1, 0, 0, 0)]), two((1,), (2,)), {"distance_m": 0.1}, "tracks: 2 of 2 rows have no x,y,z"),
        (two((1,), (2,)), two((4,), (4,)), {}, "tracks: identity 4 for the second time in frame 1"),
        (two((1,), (1,)), two((4,), (4,)), {}, "truth: identity 1 for the second time in frame 1"),
        (two((1,), (2,)), two((-1,), (4,)), {}, "tracks: no identity (-1) in frame 1: expected tracks"),
    ],
)
def test_refused(truth: MotRows, tracks: MotRows, options: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput) as error:
        evaluate(truth, tracks, **options)
    assert message in str(error.value)


def test_percent_in_json() -> None:
    value = evaluate(two((1, 1, 1), (2, 2, 2)), two((1, 1, 2), (2, 2, 1))).to_dict()
    assert (value["mota"], value["idf1"], value["hota"], value["assa"]) == (66.67, 66.67, 63.25, 40.0)
    assert (value["ids"], value["threshold"], value["notes"], value["mean_distance_m"]) == (2, 0.5, [], None)
    assert set(value) == {field.name for field in fields(Scores)}
    empty = evaluate(two((1, 1, 1), (2, 2, 2)), NONE).to_dict()
    assert (empty["mota"], empty["precision"]) == (0.0, None)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_of_rows_and_numbering_do_not_matter(seed: int) -> None:
    random = np.random.default_rng(seed)
    sides = street()
    plain = evaluate(*sides)
    shift = int(random.integers(-1, 1000))
    truth, tracks = (
        select(replace(rows, ids=7 * rows.ids + 3, frames=rows.frames + shift), random.permutation(len(rows)))
        for rows in sides
    )
    assert evaluate(truth, tracks).to_dict() == plain.to_dict()
    # Not CLEAR: where two objects last had the same track, the one of the lower number gets it.
    sides = [replace(rows, ids=random.permutation(1000)[rows.ids]) for rows in sides]
    assert hota_and_identity(evaluate(*sides)) == pytest.approx(hota_and_identity(plain))


def hota_and_identity(scores: Scores) -> list[float | None]:
    return [scores.hota, scores.deta, scores.assa, scores.loca, scores.idf1, scores.idp, scores.idr]


def test_campus_as_the_challenge_publishes_it(shared_data: Path) -> None:
    folder = shared_data / "mot_TUD-Campus"
    if not folder.is_dir():
        pytest.skip(f"sequence not found at {folder}")
    scores = evaluate(read_identified(folder / "gt.txt"), read_identified(folder / "test.txt"))
    # The challenge's own kit: IDF1 55.8 IDP 73.0 IDR 45.1, Rcll 58.2 Prcn 94.1, GT 8 MT 1 ML 1, FP 13 FN 150 IDs 7
    # FM 7, MOTA 52.6 MOTP 72.3.
    found = scores.to_dict()
    kit = {"idf1": 55.8, "idp": 73.0, "idr": 45.1, "recall": 58.2, "precision": 94.1, "mota": 52.6, "motp": 72.3}
    assert {name: found[name] for name in kit} == pytest.approx(kit, abs=0.051)
    assert (scores.fp, scores.fn, scores.ids, scores.fragmentations) == (13, 150, 7, 7)
    assert (scores.objects, scores.mostly_tracked, scores.mostly_lost, scores.frames) == (8, 1, 1, 71)
    # TrackEval 1.3.0 on the same files.
    other = {"hota": 0.3913974378451139, "deta": 0.418047030142763, "assa": 0.36912068120832836}
    other |= {"loca": 0.770052227022172, "mota": 0.5264623955431755, "motp": 0.7227989153605385}
    other |= {"idf1": 0.5576592082616179, "recall": 0.5821727019498607, "precision": 0.9414414414414415}
    assert {name: getattr(scores, name) for name in other} == pytest.approx(other)
