from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, STATE, prefix_names, values
from policy.training.chunks import FADE, IS_PAD, ChunkSampler, clean, split, with_prefix
from policy.training.options import ENVIRONMENT_NOISE, PREFIX_NOISE, STATE_NOISE
from tests.policy.test_observation import observation
from tests.policy.training.made_up import made_up

DATA = made_up()
NONE: dict[str, float] = {}


def sampler(**change: Any) -> ChunkSampler:
    fields: dict[str, Any] = {
        "data": DATA, "frames": np.arange(80), "chunk_size": 16, "prefix": 8, "state_noise": STATE_NOISE,
        "environment_noise": ENVIRONMENT_NOISE, "prefix_noise": PREFIX_NOISE, "seed": 0,
    }  # fmt: skip
    return ChunkSampler(**{**fields, **change})


def test_a_chunk_ends_with_its_episode() -> None:
    batch = clean(DATA, np.array([3, 17, 19, 79]), 4)
    np.testing.assert_array_equal(batch[ACTION][:, :, 0], [[3, 4, 5, 6], [17, 18, 19, 19], [19] * 4, [79] * 4])
    np.testing.assert_array_equal(batch[IS_PAD], [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 1]])
    np.testing.assert_array_equal(batch[STATE], DATA.vectors[STATE][[3, 17, 19, 79]])


def test_each_frame_once_in_an_epoch_and_in_another_order_in_the_next() -> None:
    frames = np.array([1, 5, 6, 30, 31, 77, 78])
    drawn = np.concatenate([sampler(frames=frames).rows(step, 3) for step in range(7)]).reshape(3, 7)
    for epoch in drawn:
        assert sorted(epoch) == frames.tolist()
    assert not (drawn[0] == drawn[1]).all()


def test_a_batch_follows_from_seed_and_step() -> None:
    again, other = sampler().batch(5, 16), sampler(seed=1).batch(5, 16)
    for name, values_ in sampler().batch(5, 16).items():
        np.testing.assert_array_equal(values_, again[name])
        assert not np.array_equal(values_, other[name]) or name == IS_PAD
    assert not np.array_equal(sampler().batch(6, 16)[STATE], again[STATE])


@pytest.mark.parametrize("length", [0, 1, 5, 8])
def test_a_prefix_is_laid_out_as_the_run_time_lays_it_out(length: int) -> None:
    batch = with_prefix(clean(DATA, np.array([4]), 16), np.array([length]), 8)
    names = (*ENVIRONMENT_NAMES, *prefix_names("joint_position", 8))
    thing = DATA.vectors[ENVIRONMENT][4].astype(float)
    seen = observation(
        object_position_m=thing[:3], object_velocity_m_s=thing[3:6], prefix=batch[ACTION][0, :length].astype(float)
    )
    np.testing.assert_allclose(batch[ENVIRONMENT][0], values(seen, names), rtol=1e-6)


def test_without_noise_the_chunks_are_the_demonstrations() -> None:
    plain = sampler(state_noise=NONE, environment_noise=NONE, prefix_noise=NONE, prefix=0)
    batch = plain.batch(2, 16)
    expected = clean(DATA, plain.rows(2, 16), 16)
    assert batch.keys() == expected.keys()
    for name, values_ in expected.items():
        np.testing.assert_array_equal(batch[name], values_, err_msg=name)


def test_noise_is_as_large_as_said_and_spares_what_is_not_seen() -> None:
    noisy = sampler(state_noise={"rad": 0.05, "m": 0.01}, environment_noise={"m": 0.005}, prefix=0)
    batch, exact = noisy.batch(0, 4000), clean(DATA, noisy.rows(0, 4000), 16)
    off = (batch[STATE] - exact[STATE]).std(axis=0)
    np.testing.assert_allclose(off, [0.05] * 6 + [0.0] + [0.01] * 3, rtol=0.1, atol=1e-9)
    blind = exact[ENVIRONMENT][:, 6] == 0
    assert blind.any()
    assert not batch[ENVIRONMENT][blind].any()
    off = (batch[ENVIRONMENT] - exact[ENVIRONMENT])[~blind].std(axis=0)
    np.testing.assert_allclose(off, [0.005] * 3 + [0.0] * 4, rtol=0.1, atol=1e-9)


def test_half_the_chunks_begin_with_what_was_frozen_and_come_back_from_there() -> None:
    drawn = sampler(prefix_noise={"rad": 0.5}, state_noise=NONE, environment_noise=NONE)
    batch = drawn.batch(0, 2000)
    exact = clean(DATA, drawn.rows(0, 2000), 16)
    lengths = batch[ENVIRONMENT][:, 7].astype(int)
    assert (lengths == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert set(lengths) == set(range(9))
    frozen = batch[ENVIRONMENT][:, 8:].reshape(2000, 8, 7)
    off = batch[ACTION] - exact[ACTION]
    for i, length in enumerate(lengths):
        np.testing.assert_array_equal(frozen[i, :length], batch[ACTION][i, :length])
        assert not frozen[i, length:].any()
        assert not off[i, length + FADE :].any()
        sizes = np.abs(off[i, max(0, length - 1) :, 0])
        assert (np.diff(sizes) <= 1e-4).all()
        assert np.diff(sizes[: FADE + 1]).max() == pytest.approx(np.diff(sizes[: FADE + 1]).min(), abs=1e-4)
    assert not off[lengths == 0].any()
    assert not off[:, :, 6].any()  # no spread was given for the gripper
    assert off[lengths == 3][:, 0, 0].std() == pytest.approx(0.5, rel=0.2)


def test_split_is_by_whole_episodes() -> None:
    learn, apart = split(DATA, 0.25, 0)
    assert sorted([*learn, *apart]) == list(range(80))
    assert len(set(DATA.episode[apart])) == 1
    assert not set(DATA.episode[apart]) & set(DATA.episode[learn])
    assert len({tuple(split(DATA, 0.25, seed)[1]) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    ("episodes", "held_out", "apart"), [(1, 0.5, 0), (2, 0.01, 1), (2, 1.0, 1), (20, 0.1, 2), (4, 0.0, 0)]
)
def test_how_many_episodes_are_held_out(episodes: int, held_out: float, apart: int) -> None:
    data = made_up(episodes, 3)
    assert len(split(data, held_out, 0)[1]) == 3 * apart
