from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from policy.features import ENVIRONMENT, STATE, prefix_names
from policy.learned import LearnedPolicy
from policy.spec import ImageSpec
from tests.policy.fake_engine import FakeEngine, spec
from tests.policy.test_observation import observation


def test_it_is_given_what_it_declares_by_name_in_its_own_order() -> None:
    described = spec()
    turned = replace(
        described.vectors[0], names=described.vectors[0].names[::-1], units=described.vectors[0].units[::-1]
    )
    engine = FakeEngine(replace(described, vectors=(turned, described.vectors[1])))
    seen = observation(object_velocity_m_s=np.array([0.0, 0.05, 0.0]))
    LearnedPolicy(engine, "it").plan(seen)
    np.testing.assert_allclose(engine.given[STATE], [[0, 0, 0, 0.5, 5, 4, 3, 2, 1, 0]])
    np.testing.assert_allclose(engine.given[ENVIRONMENT], [[0.1, 0.2, 0.3, 0, 0.05, 0, 1]], rtol=1e-6)
    assert engine.given[STATE].dtype == np.float32


def test_an_object_that_is_not_seen_is_all_zeros() -> None:
    engine = FakeEngine(spec())
    LearnedPolicy(engine, "it").plan(observation(object_position_m=np.full(3, np.nan)))
    assert not engine.given[ENVIRONMENT].any()


def test_a_chunk_starts_at_capture_in_its_own_space_and_time() -> None:
    output = np.arange(112, dtype=np.float32).reshape(1, 16, 7) / 112 - 0.2
    policy = LearnedPolicy(FakeEngine(spec("ee_pose"), lambda _: output), "it")
    chunk = policy.plan(observation(stamp_ns=1234))
    assert (chunk.stamp_ns, chunk.dt_ns, chunk.space, len(chunk)) == (1234, 100_000_000, "ee_pose", 16)
    np.testing.assert_allclose(chunk.actions[:, :6], output[0, :, :6])
    assert chunk.actions[:, 6].min() == 0.0  # a gripper has no opening below closed


def test_a_frozen_prefix_is_shown_and_kept_to_the_bit() -> None:
    engine = FakeEngine(spec(prefix=4))
    frozen = np.random.default_rng(0).normal(size=(3, 7))
    chunk = LearnedPolicy(engine, "it").plan(observation(prefix=frozen))
    np.testing.assert_array_equal(chunk.actions[:3], frozen)
    shown = engine.given[ENVIRONMENT][0, 7:]
    assert len(shown) == len(prefix_names("joint_position", 4))
    assert shown[0] == 3.0
    np.testing.assert_allclose(shown[1:22], frozen.ravel(), rtol=1e-6)
    assert not shown[22:].any()


def test_pictures_are_rgb_from_0_to_1_of_the_size_it_was_taught_with() -> None:
    camera = ImageSpec("observation.images.wrist", "wrist", 12, 16)
    engine = FakeEngine(spec(images=(camera,)))
    policy = LearnedPolicy(engine, "it")
    assert policy.cameras == ("wrist",)
    blue = np.zeros((24, 32, 3), dtype=np.uint8)
    blue[..., 0] = 255
    policy.plan(observation(images={"wrist": blue}))
    np.testing.assert_array_equal(engine.given[camera.name][0, :, 3, 4], [0, 0, 1])
    with pytest.raises(BadInput, match="camera 'wrist', which shows nothing"):
        policy.plan(observation())


def test_noise_of_a_diffusion_policy_is_drawn_from_seed_and_stamp() -> None:
    def noise(seed: int, stamp_ns: int) -> Any:
        engine = FakeEngine(spec(kind="diffusion"))
        LearnedPolicy(engine, "it", seed).plan(observation(stamp_ns=stamp_ns))
        return engine.given["noise"]

    np.testing.assert_array_equal(noise(1, 5), noise(1, 5))
    assert (noise(1, 5) != noise(1, 6)).any()
    assert (noise(1, 5) != noise(2, 5)).any()


@pytest.mark.parametrize(
    ("engine", "sentence"),
    [
        (FakeEngine(None), "it does not say that it is a policy"),
        (FakeEngine("{"), "cannot be read"),
        (FakeEngine('{"kind": "act"}'), "cannot be read"),
        (FakeEngine(spec(), rows=8), "its outputs are"),
        (FakeEngine(spec(kind="pi0")), "kind is 'pi0', expected act or diffusion"),
        (FakeEngine(spec(dt_ns=0)), "at 0 ns"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_in_one_sentence(engine: FakeEngine, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        LearnedPolicy(engine, "it")


def test_numbers_that_are_none_are_no_plan() -> None:
    output = np.zeros((1, 16, 7), dtype=np.float32)
    output[0, 3, 2] = np.nan
    with pytest.raises(ValueError, match="action 3 is not finite"):
        LearnedPolicy(FakeEngine(spec(), lambda _: output), "it").plan(observation())
