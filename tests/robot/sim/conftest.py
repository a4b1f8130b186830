from __future__ import annotations

from collections.abc import Iterator

import pytest

from robot.sim.render import Renderer, egl_problem, make_renderer

pytest.importorskip("mujoco")


@pytest.fixture(scope="session")
def raycast() -> Iterator[Renderer]:
    renderer = make_renderer("raycast")
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def egl() -> Iterator[Renderer]:
    problem = egl_problem()
    if problem is not None:
        pytest.skip(f"EGL does not render here: {problem}")
    renderer = make_renderer("egl")
    yield renderer
    renderer.close()


@pytest.fixture(params=["raycast", "egl"])
def renderer(request: pytest.FixtureRequest) -> Renderer:
    return request.getfixturevalue(request.param)
