"""How good tracks are: CLEAR (MOTA), identity (IDF1) and HOTA, of boxes by overlap and of places by distance.

Owns: figures of tracks against ground truth, and the conventions of the MOTChallenge about what counts.

Does not own: trackers. No tracker imports this package, so that the run time does not need pandas.
"""

from __future__ import annotations

from .files import read_identified
from .scores import Scores
from .scoring import evaluate

__all__ = ["Scores", "evaluate", "read_identified"]
