from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from policy.training.figures import CURVES, METRICS, Figures, draw_curves, read_metrics
from policy.training.judge import by_unit, held_out_error
from policy.training.loop import rate_share
from tests.policy.training.made_up import made_up


def test_a_resumed_training_drops_the_lines_of_later_steps(tmp_path: Path) -> None:
    first = Figures(tmp_path, 0)
    for step in (10, 20, 30):
        first.train(step, {"loss": 1.0 / step}, 1e-3)
        first.held_out(step, {"free": {"rad": 1.0 / step, "rad p95": 0.2}})
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4')  # a line that a kill cut short
    again = Figures(tmp_path, 20)
    assert again.last_errors == {"free": {"rad": 0.05, "rad p95": 0.2}}
    again.train(21, {"loss": 2.0}, 1e-3)
    assert [line["step"] for line in read_metrics(tmp_path / METRICS)] == [10, 10, 20, 20, 21]


def test_curves_are_a_picture_of_the_lines(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    import cv2

    figures = Figures(tmp_path, 0)
    figures.train(1, {"loss": 1.0, "l1_loss": 0.5, "gradient": 3.0}, 1e-3)
    figures.draw()
    alone = cv2.imread(str(tmp_path / CURVES))
    figures.held_out(2, {"free": {"m": 0.01, "m p95": 0.2, "1": 0.1, "1 p95": 0.3}})
    figures.draw()
    both = cv2.imread(str(tmp_path / CURVES))
    assert both.shape[1] > 2 * alone.shape[1]  # a panel a unit beside the losses
    draw_curves([], tmp_path / "none.png")


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    shares = [rate_share(step, 1000, 100) for step in range(1000)]
    assert shares[0] == pytest.approx(0.01)
    assert shares[99] == 1.0
    assert np.all(np.diff(shares[:100]) > 0)
    assert np.all(np.diff(shares[100:]) <= 0)
    assert shares[-1] < 1e-5
    assert rate_share(0, 10, 0) == 1.0


def test_errors_are_by_unit_without_padding() -> None:
    error = np.zeros((1, 3, 3), dtype=np.float32)
    error[0, 0] = [0.1, 0.3, 0.5]
    error[0, 2] = 99.0
    found = by_unit(error, np.array([[False, False, True]]), ("rad", "rad", "1"))
    assert found["rad"] == pytest.approx(0.1)
    assert found["1"] == pytest.approx(0.25)
    assert 0.2 < found["rad p95"] < 0.3


def test_held_out_error_judges_what_comes_after_a_prefix() -> None:
    data = made_up()
    asked: list[np.ndarray] = []

    def predict(batch: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        asked.append(batch["observation.environment_state"][:, 7])
        guess = batch["action"].copy()
        guess[:, :3] += 1.0  # wrong where it is frozen: that does not count
        guess[:, 3:, :6] += 0.25
        return guess

    found = held_out_error(predict, data, np.arange(40), 16, 8)
    assert [set(lengths) for lengths in asked] == [{0.0}, {3.0}]
    assert found["frozen"]["rad"] == pytest.approx(0.25, abs=1e-4)
    assert found["free"]["rad"] > found["frozen"]["rad"]
    assert list(found) == ["free", "frozen"]


def test_lines_are_json(tmp_path: Path) -> None:
    Figures(tmp_path, 0).train(3, {"loss": 0.5}, 1e-4)
    assert json.loads((tmp_path / METRICS).read_text()) == {"step": 3, "train": {"loss": 0.5}, "learning_rate": 1e-4}
