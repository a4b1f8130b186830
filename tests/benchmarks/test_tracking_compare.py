"""The comparison of trackers: scenes, adapters of the others, figures; how fast anything is, is not tested."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARK = ROOT / "benchmarks" / "tracking.py"
PEERS = ("trackers", "norfair", "motpy", "trackforge", "similari")


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    return importlib.import_module(name)


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("tracking_scenes", monkeypatch)


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("tracking_peers", monkeypatch)


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("motmetrics", reason="motmetrics is not installed: pip install 'eyehand[eval]'")
    return load("tracking_compare", monkeypatch)


def run(arguments: list[str], hidden: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run it; modules of the names `hidden` cannot be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({hidden!r})); sys.path.insert(0, {str(BENCHMARK.parent)!r}); "
        f"sys.argv = ['tracking.py', *{arguments!r}]; import runpy; "
        f"runpy.run_path({str(BENCHMARK)!r}, run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


# -- scenes -----------------------------------------------------------------------------------------------------------


def test_scene_is_what_it_says(scenes: ModuleType) -> None:
    scene = scenes.make_scene(50, 300, seed=3)
    truth = sum(len(frame.truth_ids) for frame in scene)
    assert truth == 50 * 300
    low = np.concatenate([frame.scores for frame in scene]) < 0.5
    found = sum(len(frame.boxes) for frame in scene)
    expected = 1.0 - scenes.MISSED + scenes.FALSE_PER_OBJECT
    assert found / truth == pytest.approx(expected, abs=0.01)
    false = scenes.FALSE_PER_OBJECT / expected
    assert low.mean() == pytest.approx((1 - false) * scenes.LOW_SHARE + false * scenes.FALSE_LOW_SHARE, abs=0.01)
    boxes = np.concatenate([frame.truth_boxes for frame in scene])
    covered = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).mean() / scenes.AREA_PX2_PER_OBJECT
    assert 0.14 < covered < 0.20
    assert np.diff([frame.stamp_ns for frame in scene]).tolist() == [scenes.PERIOD_NS] * 299


def test_objects_of_a_scene_come_and_go_with_constant_velocity(scenes: ModuleType) -> None:
    scene = scenes.make_scene(20, 400, seed=4)
    width, height = scenes.picture_size(20)
    seen: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, frame in enumerate(scene):
        assert len(set(frame.truth_ids.tolist())) == 20
        for name, box in zip(frame.truth_ids.tolist(), frame.truth_boxes, strict=True):
            seen.setdefault(name, []).append((number, 0.5 * (box[:2] + box[2:])))
    assert len(seen) > 40
    for steps in seen.values():
        numbers = [number for number, _ in steps]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "an id is never used again"
        path = np.array([centre for _, centre in steps])
        assert (path >= -1e-6).all()
        assert (path <= np.array([width, height]) + 1e-6).all()
        if len(path) > 2:
            moves = np.diff(path, axis=0)
            np.testing.assert_allclose(moves, np.tile(moves[0], (len(moves), 1)), atol=1e-9)


def test_scenes_depend_on_the_seed_alone(scenes: ModuleType) -> None:
    def bytes_of(seed: int) -> bytes:
        frames = scenes.make_scene(10, 20, seed)
        return b"".join(
            frame.boxes.tobytes() + frame.scores.tobytes() + frame.truth_boxes.tobytes() for frame in frames
        )

    assert bytes_of(1) == bytes_of(1)
    assert bytes_of(1) != bytes_of(2)


# -- adapters ---------------------------------------------------------------------------------------------------------


def a_frame(scenes: ModuleType) -> Any:
    boxes = np.array([[10.0, 20.0, 50.0, 80.0], [200.0, 100.0, 260.0, 190.0]])
    return scenes.SceneFrame(0, np.array([1, 2]), boxes, boxes, np.array([0.9, 0.3]))


def test_norfair_says_which_objects_were_hit(
    scenes: ModuleType, peers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two active objects one has its latest detection in this frame."""

    class Tracker:
        def __init__(self, **settings: Any) -> None:
            assert settings["distance_function"] == "iou"
            self.objects = [SimpleNamespace(id=7, last_detection=None), SimpleNamespace(id=9, last_detection=object())]
            self.objects[1].estimate = np.array([[1.0, 2.0], [3.0, 4.0]])

        def update(self, detections: list[Any]) -> list[Any]:
            self.objects[0].last_detection, self.objects[0].estimate = detections[1], detections[1].points
            return self.objects

    module = SimpleNamespace(
        Tracker=Tracker, Detection=SimpleNamespace, OptimizedKalmanFilterFactory=lambda **_: None
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "norfair", module)
    peer = peers.Norfair(distance_threshold=0.5)
    reported = peer.read(peer.update(peer.prepare(a_frame(scenes))))
    assert reported.ids.tolist() == [7, 9]
    assert reported.seen.tolist() == [True, False]
    assert reported.boxes.tolist() == [[200.0, 100.0, 260.0, 190.0], [1.0, 2.0, 3.0, 4.0]]
    assert reported.detected().ids.tolist() == [7]


def test_motpy_says_which_tracks_were_hit(
    scenes: ModuleType, peers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A track was seen if the count of its detections grew; its name becomes a number that stays."""

    class Tracker:
        def __init__(self, **settings: Any) -> None:
            self.trackers = [SimpleNamespace(id=name, steps_positive=0, box=[0.0, 0.0, 1.0, 1.0]) for name in "ab"]
            self.calls = 0

        def step(self, detections: list[Any]) -> list[Any]:
            assert len(detections) == 2
            self.calls += 1
            for track in self.trackers[: 3 - self.calls]:  # both, then the first alone
                track.steps_positive += 1
            return self.trackers

    monkeypatch.setitem(sys.modules, "motpy", SimpleNamespace(MultiObjectTracker=Tracker, Detection=SimpleNamespace))
    peer = peers.Motpy()
    first, second = (peer.read(peer.update(peer.prepare(a_frame(scenes)))) for _ in range(2))
    assert first.ids.tolist() == second.ids.tolist() == [1, 2]
    assert first.seen.tolist() == [True, True]
    assert second.seen.tolist() == [True, False]


def test_trackforge_takes_and_gives_left_top_width_height(
    scenes: ModuleType, peers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tracker:
        def update(self, detections: list[Any]) -> list[Any]:
            assert detections == [([10.0, 20.0, 40.0, 60.0], 0.9, 0), ([200.0, 100.0, 60.0, 90.0], 0.3, 0)]
            return [(4, detections[0][0], 0.9, 0, 0), (5, [0.0, 0.0, 2.0, 3.0], 0.5, 0, None)]

    monkeypatch.setitem(sys.modules, "trackforge", SimpleNamespace(SORT=Tracker))
    peer = peers.Trackforge("SORT")
    reported = peer.read(peer.update(peer.prepare(a_frame(scenes))))
    assert reported.ids.tolist() == [4, 5]
    assert reported.boxes.tolist() == [[10.0, 20.0, 50.0, 80.0], [0.0, 0.0, 2.0, 3.0]]
    assert reported.seen.tolist() == [True, False]


@pytest.mark.parametrize("module", PEERS)
def test_peers_that_are_installed_track(
    scenes: ModuleType, peers: ModuleType, compare: ModuleType, module: str
) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed: {peers.INSTALL}")
    package = {"similari": "similari-trackers-rs"}.get(module, module)
    scene = scenes.make_scene(8, 60, seed=5)
    truth = compare.mot_rows([(frame.truth_ids, frame.truth_boxes) for frame in scene])
    chosen = [it for it in peers.CONTESTANTS if it.package == package]
    assert chosen
    for contestant in chosen:
        result = compare.drive([contestant.make(8)], scene)[0]
        assert compare.score(truth, [told.detected() for told in result.reported])["mota"] > 60.0, contestant.name


def test_ours_predicts_what_was_missed(scenes: ModuleType, peers: ModuleType) -> None:
    peer, scene = peers.Ours(), scenes.make_scene(10, 60, seed=6)
    reported = [peer.read(peer.update(peer.prepare(frame))) for frame in scene]
    assert all(len(set(told.ids.tolist())) == len(told.ids) for told in reported)
    assert any(not told.seen.all() for told in reported)
    assert all(len(told.detected().ids) <= len(frame.boxes) for told, frame in zip(reported, scene, strict=True))


# -- figures ----------------------------------------------------------------------------------------------------------


def row(name: str, kind: str, ratio: float, mota: float, idf1: float) -> dict[str, Any]:
    return {
        "name": name, "kind": kind, "objects": 10, "p50_ms": ratio, "ratio_to_ours": ratio,
        "detected": {"mota": mota, "idf1": idf1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("others", "times", "kept"),
    [
        ([("a", "python", 6.0, 88.0, 92.0), ("b", "python", 5.1, 80.0, 80.0)], 5.1, True),
        ([("a", "python", 4.9, 88.0, 92.0)], 4.9, False),
        ([("a", "python", 6.0, 88.0, 92.0), ("r", "rust", 0.3, 88.4, 92.0)], 6.0, True),
        ([("a", "python", 6.0, 88.0, 92.0), ("r", "rust", 0.3, 88.6, 92.0)], 6.0, False),
        ([("a", "python", 6.0, 80.0, 92.6)], 6.0, False),
    ],
)
def test_verdict(
    compare: ModuleType, others: list[tuple[str, str, float, float, float]], times: float, kept: bool
) -> None:
    """Speed against the fastest Python peer, accuracy against the best of all."""
    verdict = compare.verdict([row(compare.OURS, "ours", 1.0, 88.0, 92.0), *(row(*other) for other in others)])
    assert verdict["times_faster"] == times
    assert verdict["kept"] is kept


def test_perfect_tracks_score_100(scenes: ModuleType, peers: ModuleType, compare: ModuleType) -> None:
    scene = scenes.make_scene(5, 20, seed=7)
    truth = compare.mot_rows([(frame.truth_ids, frame.truth_boxes) for frame in scene])
    perfect = [peers.Reported(frame.truth_ids, frame.truth_boxes, np.ones(5, np.bool_)) for frame in scene]
    scores = compare.score(truth, perfect)
    assert (scores["mota"], scores["idf1"], scores["switches"]) == (100.0, 100.0, 0)


def test_alone(compare: ModuleType) -> None:
    """Without the others it names them, and measures ours."""
    done = run(["--objects", "5,20", "--frames", "60"], hidden=PEERS)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert [verdict["kept"] for verdict in result["verdicts"]] == [None, None]
    assert len(result["missing"]) == len(load_contestants(compare)) - 1
    for line in result["missing"]:
        assert "not installed" in line
        assert "pip install --no-deps -r benchmarks/tracking-peers.txt" in line
        assert f"left out: {line}" in done.stdout
    for objects, table in zip((5, 20), result["tables"], strict=True):
        (ours,) = table
        assert ours["name"] == compare.OURS
        assert ours["objects"] == objects
        assert ours["n"] == 29  # of 60 frames in turns of 20: not the first second, not the first of a turn
        assert 0 < ours["p50_ms"] <= ours["p99_ms"]
        assert ours["ratio_to_ours"] == 1.0
        assert ours["detected"]["mota"] > 70.0
        assert ours["detected"]["idf1"] > 75.0
        assert ours["returned"]["missed_percent"] < ours["detected"]["missed_percent"]
    assert isinstance(result["machine"], dict)


def load_contestants(compare: ModuleType) -> tuple[Any, ...]:
    contestants: tuple[Any, ...] = compare.CONTESTANTS
    return contestants


def test_json_alone(compare: ModuleType) -> None:
    done = run(["--objects", "3", "--frames", "5", "--json"], hidden=PEERS)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--objects", "10,x"], "expected whole numbers >= 1"), (["--frames", "1"], "invalid whole number >= 2 value")],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], words: str) -> None:
    done = run(arguments, hidden=PEERS)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
