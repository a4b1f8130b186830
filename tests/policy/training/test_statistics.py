from __future__ import annotations

import numpy as np
import pytest

from policy.features import ACTION, ENVIRONMENT, STATE
from policy.training.chunks import ChunkSampler
from policy.training.options import FLOOR
from policy.training.statistics import statistics
from tests.policy.training.made_up import made_up

DATA = made_up()


def test_they_are_those_of_the_frames() -> None:
    found = statistics(DATA, prefix=0)
    for feature in (STATE, ENVIRONMENT, ACTION):
        rows = DATA.vectors[feature].astype(float)
        for key, expected in (("mean", rows.mean(0)), ("std", rows.std(0)), ("min", rows.min(0)), ("max", rows.max(0))):
            np.testing.assert_allclose(found[feature][key], expected, rtol=1e-5, atol=1e-6, err_msg=f"{feature} {key}")


def test_those_of_a_prefix_are_what_the_sampler_gives() -> None:
    sampler = ChunkSampler(DATA, np.arange(60), 16, 8, {}, {}, {}, 0)  # frames that no padding follows weigh most
    drawn = sampler.batch(0, 20000)[ENVIRONMENT][:, 7:]
    found = {key: values[7:] for key, values in statistics(DATA, prefix=8)[ENVIRONMENT].items()}
    assert found["mean"].shape == (1 + 8 * 7,)
    np.testing.assert_allclose(found["mean"][0], drawn[:, 0].mean(), rtol=0.05)
    np.testing.assert_allclose(found["std"][0], drawn[:, 0].std(), rtol=0.05)
    normalised = (drawn - found["mean"]) / found["std"]
    assert np.abs(normalised.mean(axis=0)).max() < 0.4
    assert 0.7 < normalised.std(axis=0).min() < normalised.std(axis=0).max() < 1.3
    assert found["min"][1:].max() <= 0.0 <= found["max"].min()


def test_what_hardly_varies_is_not_blown_up() -> None:
    data = made_up()
    data.vectors[ACTION][:, 4] = -1.57
    found = statistics(data, prefix=8)
    assert found[ACTION]["std"][4] == pytest.approx(FLOOR["rad"])
    assert found[ACTION]["max"][4] - found[ACTION]["min"][4] == pytest.approx(2 * FLOOR["rad"], rel=1e-4)
    nothing = -found[ENVIRONMENT]["mean"] / found[ENVIRONMENT]["std"]
    assert np.abs(nothing[8:]).max() < 4.0  # where nothing is frozen; with the action's own it would be 157
