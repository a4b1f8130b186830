"""The figures of one sequence."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of tracks against ground truth. Ratios are fractions, most of them in [0, 1].

    A ratio without anything to divide by is None: `precision` and `idp` without tracks, `motp` and `loca` without a
    match.

    Attributes:
        similarity: What was compared: overlap of boxes ("iou") or distance of places ("distance").
        threshold: At which a pair may match: the least IoU, or the greatest distance [m].
        mota: Multiple object tracking accuracy, 1 - (fp + fn + ids) / truth_rows; below 0 if mistakes outnumber rows.
        motp: Multiple object tracking precision: mean similarity of the matches. In TrackEval and in the tables of the
            MOTChallenge it is this, greater is better; motmetrics has its complement.
        idf1: F1 of the identities: rows that one assignment of whole tracks to whole objects explains.
        idp: Precision of the identities.
        idr: Recall of the identities.
        hota: Higher order tracking accuracy, mean over similarities of .05, .10 ... .95.
        deta: Its part of detection.
        assa: Its part of association.
        loca: Its part of localization.
        precision: Matches / track_rows.
        recall: Matches / truth_rows.
        fp: Track rows that match no object.
        fn: Truth rows that no track matches.
        ids: Identity switches: an object is matched by another track than when it was last matched.
        fragmentations: How often an object that was matched is missed, and matched again later.
        mostly_tracked: Objects that were matched in 80 % of their frames or more.
        mostly_lost: Objects that were matched in less than 20 % of them.
        mean_distance_m: Mean distance of the matches [m]; None for boxes.
        objects: Identities in the truth.
        truth_rows: Rows of truth that count.
        track_rows: Rows of tracks that count.
        frames: Frames in which one of the two has a row.
        notes: What was left out, and what looks odd, in sentences.
    """

    similarity: Literal["iou", "distance"]
    threshold: float
    mota: float
    motp: float | None
    idf1: float
    idp: float | None
    idr: float
    hota: float
    deta: float
    assa: float
    loca: float | None
    precision: float | None
    recall: float
    fp: int
    fn: int
    ids: int
    fragmentations: int
    mostly_tracked: int
    mostly_lost: int
    mean_distance_m: float | None
    objects: int
    truth_rows: int
    track_rows: int
    frames: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ratios in percent with two decimals, as they are published."""
        value = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in RATIOS:
            value[name] = None if value[name] is None else round(100.0 * value[name], 2)
        if self.mean_distance_m is not None:
            value["mean_distance_m"] = round(self.mean_distance_m, 6)
        return value | {"notes": list(self.notes)}


RATIOS = ("mota", "motp", "idf1", "idp", "idr", "hota", "deta", "assa", "loca", "precision", "recall")
