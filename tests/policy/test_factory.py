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
    assert make_expert(resync_m="1e-1", confirmations=3)._p.resync_m == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sped_m_s": 0.2}, "policy.options.sped_m_s: unknown to the expert; it knows .*speed_m_s"),
        ({"speed_m_s": "fast"}, "policy.options.speed_m_s: expected a number, found 'fast'"),
        ({"speed_m_s": None}, "policy.options.speed_m_s: expected a number, found None"),
        ({"speed_m_s": True}, "policy.options.speed_m_s: expected a number, found True"),
        ({"yaw_rad": float("nan")}, "policy.options.yaw_rad: expected a number, found nan"),
        ({"yaw_rad": [1.0]}, "policy.options.yaw_rad: expected a number, found \\[1.0\\]"),
        ({"confirmations": 1.5}, "policy.options.confirmations: expected a whole number, found 1.5"),
        ({"home_m": [1, 2]}, "policy.options.home_m: expected 3 numbers, found"),
        ({"home_m": {"x": 1}}, "policy.options.home_m: expected 3 numbers, found"),
        ({"bin_m": "here"}, "policy.options.bin_m: expected 2 numbers, found 'here'"),
        ({"bin_in_base_m": "abc"}, "policy.options.bin_in_base_m: expected 3 numbers, found 'abc'"),
        ({"search_m": "abc"}, "policy.options.search_m: expected a list of items, each 3 numbers, found 'abc'"),
        ({"search_m": [[1, 2]]}, "policy.options.search_m: expected a list of items, each 3 numbers, found"),
        ({"search_m": [0.1, 0.2, 0.3]}, "policy.options.search_m: expected a list of items, each 3 numbers, found"),
        ({"search_m": []}, "search_m is empty"),
        ({"speed_m_s": -1.0}, "expert speed_m_s is -1.0"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make_expert(**options)
