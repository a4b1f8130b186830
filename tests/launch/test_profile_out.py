"""A ledger as a latency profile: the same quantiles, each stage from the right column, and a file that reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.config import load_profile
from launch.config.profile import DelayConfig, ProfileConfig
from launch.ledger import Ledger, Outcome, Rows, Stage
from launch.profile_out import QUANTILES, profile_of, profile_text, write_profile
from launch.schedulers.profile import Durations, quantiles_ms

US, MS = 1_000, 1_000_000


def rows_of(*activations: tuple[Stage, float, float, dict[str, int]]) -> Rows:
    """Rows of stage, measured and modelled duration [ms], and further columns."""
    ledger = Ledger()
    for number, (stage, measured_ms, modelled_ms, columns) in enumerate(activations):
        ledger.append(
            stage, number, number * MS, 0,
            measured_ns=round(measured_ms * MS), modelled_ns=round(modelled_ms * MS), **columns,
        )  # fmt: skip
    return ledger.take()


def series(durations_ms: np.ndarray, stage: Stage = Stage.DETECT) -> Rows:
    return rows_of(*((stage, float(value), 0.0, {}) for value in durations_ms))


@pytest.mark.parametrize("n", [2, 3, 60, QUANTILES, 102, 5000])
def test_quantiles_are_those_of_the_run(n: int) -> None:
    taken = np.random.default_rng(n).lognormal(2.0, 0.4, n)
    delay = profile_of(series(taken), "mine").stages["detect"]
    values = delay.empirical_ms
    assert values is not None
    assert len(values) == min(n, QUANTILES)
    assert (values[0], values[-1]) == pytest.approx((taken.min(), taken.max()), abs=6e-4)
    assert list(values) == [round(value, 3) for value in values]
    if n >= QUANTILES:
        for probability in (0.0, 0.01, 0.5, 0.9, 0.99):
            expected = np.quantile(taken, probability)
            assert quantiles_ms(delay, probability) == pytest.approx(expected, abs=6e-4), probability


def test_a_long_maximum_does_not_spoil_the_p99() -> None:
    taken = np.append(np.linspace(10.0, 12.0, 999), 900.0)
    delay = profile_of(series(taken), "mine").stages["detect"]
    assert quantiles_ms(delay, 0.99) == pytest.approx(11.98, abs=0.01)
    assert delay.empirical_ms is not None
    assert delay.empirical_ms[-1] == 900.0


@pytest.mark.parametrize(
    ("taken_ms", "expected"),
    [
        ([7.25], {"constant_ms": 7.25}),
        ([7.25, 7.25, 7.25], {"constant_ms": 7.25}),
        ([7.0001, 7.0002], {"constant_ms": 7.0}),  # the same to the microsecond
        ([3.0, 1.0, 2.0], {"empirical_ms": (1.0, 2.0, 3.0)}),
        ([2.0, 1.0], {"empirical_ms": (1.0, 2.0)}),
        ([-4.0, 70_000.0], {"empirical_ms": (0.0, 60_000.0)}),  # a camera's clock that is off; what a profile may hold
    ],
)
def test_few_samples(taken_ms: list[float], expected: dict[str, object]) -> None:
    delay = profile_of(series(np.array(taken_ms)), "mine").stages["detect"]
    assert delay == DelayConfig.model_validate({**expected, "source": f"{len(taken_ms)} activations, measured"})


RUN = (
    (Stage.EPISODE, 0.0, 0.0, {}),
    (Stage.CAPTURE, 40.0, 5.0, {}),
    (Stage.CAPTURE, 40.0, 5.0, {}),
    (Stage.DETECT, 26.0, 15.0, {}),
    (Stage.DETECT, 14.0, 6.0, {"engine": 1}),
    (Stage.DETECT, 900.0, 0.0, {"outcome": Outcome.ERROR}),
    (Stage.DETECT, 31.0, 15.0, {"outcome": Outcome.STALE}),
    (Stage.LOCALIZE, 700.0, 0.0, {"outcome": Outcome.DROPPED, "engine": 1}),
    (Stage.TRACK, 0.5, 0.25, {"engine": 1}),
    (Stage.IK, 1.0, 1.0, {"outcome": Outcome.HELD}),
    (Stage.IK, 2.0, 1.0, {"outcome": Outcome.CLIPPED}),
    (Stage.STATE, 3.0, 3.0, {}),
    (Stage.LADDER, 3.0, 3.0, {}),
)


@pytest.mark.parametrize(
    ("virtual", "modelled", "capture", "detect", "fallback", "track"),
    [
        # taking a frame was rendering it: that is no part of the path on the virtual clock
        (True, False, 5.0, (26.0, 31.0), 14.0, 0.5),
        (False, False, 40.0, (26.0, 31.0), 14.0, 0.5),
        (True, True, 5.0, 15.0, 6.0, 0.25),
        (False, True, 5.0, 15.0, 6.0, 0.25),
    ],
)
def test_which_durations(
    virtual: bool, modelled: bool, capture: float, detect: object, fallback: float, track: float
) -> None:
    made = profile_of(rows_of(*RUN), "mine", virtual=virtual, modelled=modelled, origin="run 7")
    found = {name: delay.empirical_ms or delay.constant_ms for name, delay in made.stages.items()}
    ik = 1.0 if modelled else (1.0, 2.0)
    assert found == {"capture": capture, "detect": detect, "detect_fallback": fallback, "track": track, "ik": ik}
    assert made.name == "mine"
    assert made.source == "run 7; in it ran no localize, plan, send"
    how = "modelled" if modelled else "measured"
    assert made.stages["detect"].source == f"2 activations, {how}"
    assert made.stages["capture"].source == f"2 activations, {'modelled' if virtual or modelled else 'measured'}"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_of(), "profile mine: none of the 0 rows is a stage that ran; give a run that got frames"),
        (
            rows_of((Stage.STATE, 1.0, 1.0, {}), (Stage.DETECT, 1.0, 1.0, {"outcome": Outcome.ERROR})),
            "profile mine: none of the 2 rows is a stage that ran",
        ),
    ],
)
def test_nothing_to_make_a_profile_of(rows: Rows, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        profile_of(rows, "mine")


def test_a_file_reads_back_and_gives_the_same_draws(tmp_path: Path) -> None:
    taken = np.random.default_rng(0).gamma(4.0, 5.0, 3000)
    rows = series(taken)
    path = tmp_path / "mine.yaml"
    write_profile(rows, path, virtual=True, origin="run 'a': [1]")
    made = profile_of(rows, "mine", virtual=True, origin="run 'a': [1]")
    read = load_profile(str(path))
    assert read == made
    one, other = Durations(made, seed=2), Durations(read, seed=2)
    drawn = [one(Stage.DETECT, 0) for _ in range(20_000)]
    assert drawn == [other(Stage.DETECT, 0) for _ in range(20_000)]
    assert np.quantile(drawn, (0.1, 0.5, 0.9)) / MS == pytest.approx(np.quantile(taken, (0.1, 0.5, 0.9)), rel=0.03)


def test_a_file_says_where_it_is_from_and_can_be_read_by_a_person(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_profile(series(np.linspace(1.0, 2.0, 5000)), path, virtual=False, origin="run 7")
    text = path.read_text()
    assert text.startswith("# What each stage took in run 7.")
    assert "--profile mine.yaml" in text.splitlines()[0]
    assert len(text.splitlines()) < 25
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize(("comment", "expected"), [("", "name: a\n"), ("one\n\ntwo", "# one\n#\n# two\nname: a\n")])
def test_the_comment_of_a_file(comment: str, expected: str) -> None:
    assert profile_text(ProfileConfig(name="a"), comment).startswith(expected)
