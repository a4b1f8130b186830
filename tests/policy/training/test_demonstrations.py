from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import BadInput
from policy.features import ACTION, ENVIRONMENT, ENVIRONMENT_NAMES, STATE, STATE_NAMES
from policy.training.demonstrations import read_demonstrations
from tests.policy.training.toy_demonstrations import episode, write_toy

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as pq

DATA = "data/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("toy") / "set", episodes=3, frames=8)


@pytest.fixture
def copy(toy: Path, tmp_path: Path) -> Path:
    return shutil.copytree(toy, tmp_path / "set")


def info(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "meta" / "info.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_everything_is_read_in_order(toy: Path) -> None:
    data = read_demonstrations(toy)
    first = episode(np.random.default_rng(0), 8)
    for feature in (STATE, ENVIRONMENT, ACTION):
        np.testing.assert_array_equal(data.vectors[feature][:8], first[feature])
        assert data.vectors[feature].dtype == np.float32
    assert data.episode.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert (data.fps, data.action_space, data.fingerprint, data.images) == (10.0, "joint_position", "toy", {})
    assert (data.names[STATE], data.names[ENVIRONMENT]) == (STATE_NAMES, ENVIRONMENT_NAMES)
    assert data.units(STATE) == ("rad",) * 6 + ("1",) + ("m",) * 3


def test_what_an_interrupted_collection_left_does_not_count(copy: Path) -> None:
    table = pq.read_table(copy / DATA)
    more = table.slice(0, 8).set_column(table.column_names.index("index"), "index", pa.array(np.arange(24, 32)))
    pq.write_table(more, copy / "data" / "chunk-000" / "file-001.parquet")
    assert len(read_demonstrations(copy).episode) == 24


def test_a_dataset_of_another_maker_is_known_by_its_values(copy: Path) -> None:
    (copy / "meta" / "eyehand.json").unlink()
    info(copy, lambda content: content["features"][ACTION].update(names={"motors": [f"m{i}" for i in range(7)]}))
    data = read_demonstrations(copy)
    assert data.action_space is None
    assert data.names[ACTION] == tuple(f"m{i}" for i in range(7))
    table = pq.read_table(copy / DATA)
    state = np.array(table[STATE].to_pylist(), dtype=np.float32)
    state[3, 2] += 1e-4
    column = pa.FixedSizeListArray.from_arrays(pa.array(state.ravel()), 10)
    pq.write_table(table.set_column(table.column_names.index(STATE), STATE, column), copy / DATA)
    assert read_demonstrations(copy).fingerprint != data.fingerprint


def account(folder: Path, **content: Any) -> None:
    (folder / "meta" / "eyehand.json").write_text(json.dumps(content))


def test_the_cell_is_read(copy: Path) -> None:
    data = read_demonstrations(copy)
    assert (data.robot, data.object_class, data.bin_in_base_m) == ("", "", ())
    task = "task:\n  bin_in_base_m: [-0.65, -0.45, 0]\n"
    account(copy, robot="ur10e", object_class="red_cube", configuration=task, units={"tcp.x": "m"})
    data = read_demonstrations(copy)
    assert (data.robot, data.object_class, data.bin_in_base_m) == ("ur10e", "red_cube", (-0.65, -0.45, 0.0))
    account(copy, configuration="task: null")
    assert read_demonstrations(copy).bin_in_base_m == ()


def not_finite(folder: Path) -> None:
    table = pq.read_table(folder / DATA)
    action = np.array(table[ACTION].to_pylist(), dtype=np.float32)
    action[5, 1] = np.nan
    column = pa.FixedSizeListArray.from_arrays(pa.array(action.ravel()), 7)
    pq.write_table(table.set_column(table.column_names.index(ACTION), ACTION, column), folder / DATA)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: shutil.rmtree(f / "meta"), "info.json: cannot be read"),
        (lambda f: (f / "meta" / "info.json").write_text("[]"), "not a JSON object"),
        (lambda f: info(f, lambda c: c.update(codebase_version="v2.1")), "codebase_version is 'v2.1', expected 'v3.0'"),
        (lambda f: info(f, lambda c: c["features"].pop(ACTION)), "has no action; its features are"),
        (lambda f: info(f, lambda c: c.update(total_frames=0)), "has no frames"),
        (lambda f: shutil.rmtree(f / "data"), r"no data/chunk-\*/file-\*.parquet"),
        (lambda f: (f / DATA).write_bytes(b"PAR1"), "cannot be read"),
        (lambda f: (f / "meta" / "eyehand.json").write_text('{"action_space": "pose"}'), "action_space is 'pose'"),
        (lambda f: info(f, lambda c: c.pop("features")), "meta/info.json has no valid features"),
        (lambda f: info(f, lambda c: c.pop("fps")), "meta/info.json has no valid fps"),
        (lambda f: info(f, lambda c: c.update(fps=0)), "fps is 0, expected more than 0"),
        (lambda f: info(f, lambda c: c.pop("total_frames")), "meta/info.json has no valid total_frames"),
        (lambda f: account(f, units={"elbow_joint.pos": "deg"}), "elbow_joint.pos is in 'deg', expected 'rad'"),
        (lambda f: account(f, units=["rad"]), "expected a unit by each name"),
        (lambda f: account(f, configuration="task: ["), "configuration cannot be read"),
        (lambda f: account(f, configuration="task: {bin_in_base_m: 3}"), "configuration cannot be read"),
        (not_finite, "action of frame 5 is not finite"),
    ],
)
def test_refusals(copy: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(copy)
    with pytest.raises(BadInput, match=message):
        read_demonstrations(copy)
