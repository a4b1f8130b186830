from __future__ import annotations

import numpy as np
import pytest

from deploy.export.pictures import SIZES, picture


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (3, 640)])
def test_a_seed_gives_one_picture(size: tuple[int, int]) -> None:
    image = picture(size, 3)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, picture(size, 3))
    assert size == (1, 1) or (image != picture(size, 4)).any()


def test_it_has_areas_and_edges() -> None:
    image = picture((320, 256), 0).astype(float)
    assert image.std() > 40, "many colours"
    steps = np.abs(np.diff(image[..., 0], axis=1))
    assert np.median(steps) < 10, "soft almost everywhere"
    assert np.percentile(steps, 99.9) > 60, "with edges"
