"""HOTA, higher order tracking accuracy.

Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2021. The figures are those of
TrackEval, the authors' own program. It is not used itself because its distribution requires opencv-python, which
overwrites the headless OpenCV that the run time has and does not import on a machine without a display's libraries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from geometry.types import Array, IntArray

from .alignment import Sequence
from .similarity import ROUNDING

# Similarities at which a pair is a match.
ALPHAS = np.arange(1, 20) / 20.0


@dataclass(frozen=True, slots=True)
class Hota:
    """Means over `ALPHAS`, in [0, 1].

    Attributes:
        hota: Geometric mean of detection and association at each alpha.
        deta: TP / (TP + FN + FP), the Jaccard index of the detections.
        assa: Mean over the TP of the Jaccard index of their track and their object.
        loca: Mean similarity of the TP, 1 at an alpha without any; None if no alpha has one.
    """

    hota: float
    deta: float
    assa: float
    loca: float | None


def hota(sequence: Sequence) -> Hota:
    """Score a sequence.

    Args:
        sequence: With a row of truth or more.
    """
    objects, identities, similarity = _matches(sequence)
    pairs, pair_of_match = np.unique(
        objects * len(sequence.track_counts) + identities, return_inverse=True
    )  # each object with each track that it was matched with
    pair_object, pair_track = np.divmod(pairs, max(1, len(sequence.track_counts)))
    frames = sequence.truth_counts[pair_object] + sequence.track_counts[pair_track]
    rows = sequence.truth_counts.sum() + sequence.track_counts.sum()
    deta, assa, loca = np.zeros(len(ALPHAS)), np.zeros(len(ALPHAS)), np.ones(len(ALPHAS))
    for number, alpha in enumerate(ALPHAS):
        matched = similarity >= alpha - ROUNDING
        true = int(matched.sum())
        if true == 0:
            continue
        together = np.bincount(pair_of_match[matched], minlength=len(pairs))  # TPA of each match of the pair
        deta[number] = true / (rows - true)
        assa[number] = (together * together / (frames - together)).sum() / true
        loca[number] = similarity[matched].mean()
    return Hota(
        float(np.sqrt(deta * assa).mean()),
        float(deta.mean()),
        float(assa.mean()),
        float(loca.mean()) if deta.any() else None,
    )


def _matches(sequence: Sequence) -> tuple[IntArray, IntArray, Array]:
    """Objects, tracks and similarities of the pairs of each frame, one assignment for all alphas.

    In each frame the sum of similarity times global alignment is the greatest, so that among pairs that are alike those
    win which are together in most frames.
    """
    alignment = _global_alignment(sequence)
    objects, identities, similarity = [], [], []
    for truth, tracks, value in zip(sequence.truth_ids, sequence.track_ids, sequence.similarity, strict=True):
        rows, columns = linear_sum_assignment(alignment[np.ix_(truth, tracks)] * value, maximize=True)
        objects.append(truth[rows])
        identities.append(tracks[columns])
        similarity.append(value[rows, columns])
    return np.concatenate(objects), np.concatenate(identities), np.concatenate(similarity)


def _global_alignment(sequence: Sequence) -> Array:
    """Jaccard index of each object with each track over the whole sequence, before any is matched: shape (N, M).

    Where several rows overlap, each counts by its share.
    """
    together = np.zeros((len(sequence.truth_counts), len(sequence.track_counts)))
    for truth, tracks, value in zip(sequence.truth_ids, sequence.track_ids, sequence.similarity, strict=True):
        share = value.sum(axis=0)[None, :] + value.sum(axis=1)[:, None] - value
        together[np.ix_(truth, tracks)] += np.divide(value, share, out=np.zeros_like(value), where=share > ROUNDING)
    jaccard: Array = together / (sequence.truth_counts[:, None] + sequence.track_counts[None, :] - together)
    return jaccard
