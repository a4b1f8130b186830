from __future__ import annotations

import numpy as np
import pytest

from deploy.errors import BadInput
from robot.sim.labelled_set import RenderedSet
from robot.sim.render import Renderer

SEED = 900_000


def test_pictures_depend_on_seed_and_number_only(raycast: Renderer) -> None:
    few = list(RenderedSet(raycast, 2, SEED, "task"))
    again = list(RenderedSet("raycast", 3, SEED, "task"))
    assert [one.name for one in again] == [f"{number:06d}" for number in range(3)]
    for one, other in zip(few, again, strict=False):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.boxes, other.boxes)
        assert np.array_equal(one.ignore, other.ignore)
    varied = next(iter(RenderedSet(raycast, 1, SEED, "varied")))
    assert not np.array_equal(varied.image, few[0].image)


def test_samples_have_depth_and_doubtful_objects_are_ignored(raycast: Renderer) -> None:
    rendered = RenderedSet(raycast, 1, SEED, "varied")
    assert len(rendered) == 1
    for sample, one in zip(rendered.samples(), rendered, strict=True):
        assert sample.depth_m.shape == one.image.shape[:2]
        assert 0.0 < sample.depth_m.min() < 1.0
        assert one.ignore.tolist() == (~sample.labels.clear()).tolist()


@pytest.mark.slow
@pytest.mark.usefixtures("egl")
def test_processes_render_the_same() -> None:
    images = [[one.image for one in RenderedSet("egl", 5, 7, "task", processes)] for processes in (1, 2)]
    assert all(np.array_equal(one, other) for one, other in zip(*images, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("raycast", 0), "set of 0 pictures"),
        (("raycast", 1, 0, "moon"), "domain 'moon': expected varied or task"),
        (("povray", 1), "renderer 'povray'"),
    ],
)
def test_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        RenderedSet(*arguments)
