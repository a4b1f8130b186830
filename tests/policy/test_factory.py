from __future__ import annotations

from typing import Any

import pytest

from deploy.errors import BadInput
from policy.factory import make_expert


def test_options_reach_the_expert() -> None:
    expert = make_expert(bin_in_base_m=[-0.5, -0.4, 0.0], speed_m_s=0.2, search_m=[[-0.6, 0.0, 0.4]])
    assert expert._p.bin_m == (-0.5, -0.4)
    assert expert._p.speed_m_s == 0.2
    assert expert._p.search_m == ((-0.6, 0.0, 0.4),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sped_m_s": 0.2}, "policy.options.sped_m_s: unknown to the expert; it knows .*speed_m_s"),
        ({"speed_m_s": "fast"}, "wrong type"),
        ({"speed_m_s": -1.0}, "expert speed_m_s is -1.0"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make_expert(**options)
