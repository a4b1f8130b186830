"""A cube on a conveyor, from photons to the bin; and what cannot be configured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from deploy.errors import BadInput
from launch.cli.main import parser
from launch.config import load_config
from launch.wall_cell import check_world
from launch.wiring import resolve

pytest.importorskip("mujoco", reason="mujoco is not installed: pip install 'eyehand[sim]'")
pytest.importorskip("onnxruntime", reason="no inference engine is installed: pip install 'eyehand[cpu]'")
SETS = ["record.images=false", "record.picture_strip=false", "task.timeout_s=15"]


def test_the_expert_meets_the_cube_and_places_it(tmp_path: Path) -> None:
    from launch import virtual_run
    from launch.sim_cell import SimCell

    details = []

    class Cell(SimCell):
        def detail(self) -> dict[str, object]:
            details.append(super().detail())
            return details[-1]

    config = resolve(load_config("sim_pick_place", [*SETS, "sim.conveyor_m_s=[0.0, 0.05]", "seed=7"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual_run, "SimCell", Cell)
        result, _ = virtual_run.run(config, tmp_path / "run", lambda _: None)
    assert result.successes == 1
    start, closed = details[0]["cube_at_start_in_base_m"], details[0]["first_close_tcp_in_base_m"]
    assert closed[0] == pytest.approx(start[0], abs=0.006)
    assert closed[1] - start[1] > 0.12, "it was met downstream"
    assert math.isclose(closed[2], 0.022, abs_tol=0.004)


@pytest.mark.parametrize("velocity", ["[0.0, 0.5]", "[0, 0]"])
def test_a_conveyor_that_cannot_run_is_refused(velocity: str) -> None:
    from launch.sim_cell import SimCell

    with pytest.raises(BadInput, match="conveyor_m_s: a speed of 0"):
        SimCell(load_config("sim_pick_place", [f"sim.conveyor_m_s={velocity}"]))


def test_a_world_that_runs_already_keeps_its_table() -> None:
    config = load_config("sim_pick_place", ["sim.world=world.socket", "sim.conveyor_m_s=[0, 0.05]", "clock=wall"])
    with pytest.raises(BadInput, match=r"sim.conveyor_m_s: the world at world.socket runs already.*--conveyor"):
        check_world(config)


@pytest.mark.parametrize(("text", "velocity"), [("0,0.05", (0.0, 0.05)), ("-0.05,0", (-0.05, 0.0))])
def test_a_controller_is_simulated_with_a_conveyor(text: str, velocity: tuple[float, float]) -> None:
    assert parser().parse_args(["simulate", "ur", f"--conveyor={text}"]).conveyor == velocity


def test_a_conveyor_needs_two_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["simulate", "ur", "--conveyor", "0.05"])
    assert "0.05: expected two numbers, for example 0,0.05" in capsys.readouterr().err
