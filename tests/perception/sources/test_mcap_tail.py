from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import BadInput
from launch.bag import BagReader, BagWriter
from perception.sources.bag_file import BagFile
from perception.sources.mcap_tail import find_tail, is_complete, repair
from perception.sources.recording import RecordingSource
from tests.perception.sources.bag_builders import MS, read_all, small_frame

ROOT = Path(__file__).resolve().parents[3]
# Writes 40 frames in chunks of 1 MiB and, at the end, rows that fill no chunk; then it is killed.
KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from tests.perception.sources.bag_builders import MS, small_frame
from launch.bag import BagWriter
writer = BagWriter(sys.argv[1])
for k in range(40):
    writer.write_frame(small_frame(k), 33 * MS * k)
    writer.write_bytes("rows", os.urandom(60_000), 33 * MS * k)
os.kill(os.getpid(), signal.SIGKILL)
"""
INTERRUPTED = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "raise KeyboardInterrupt")


def run_script(script: str, run: Path) -> int:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", script, str(run), str(ROOT), here], check=False, capture_output=True, timeout=60
    )
    return done.returncode


@pytest.fixture(scope="module")
def killed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("killed") / "run"
    assert run_script(KILLED, run) == -signal.SIGKILL
    return run


def test_a_killed_run_keeps_its_finished_chunks(killed_run: Path) -> None:
    assert not (killed_run / "metadata.yaml").exists()
    with pytest.raises(BadInput, match=r"run.mcap: cut short.*eyehand repair"):
        BagFile(killed_run)
    source = RecordingSource(killed_run, allow_incomplete=True)
    frames = read_all(source)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert len(frames) >= 40 - 18  # a chunk of 1 MiB holds 17 of them
    with BagReader(killed_run, allow_incomplete=True) as reader:
        assert reader.incomplete
        assert reader.streams == ("rows",)
        assert sum(isinstance(record.value, bytes) for record in reader.records()) >= 22


def test_ctrl_c_leaves_a_whole_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert run_script(INTERRUPTED, run) != 0
    assert (run / "metadata.yaml").exists()
    assert len(read_all(RecordingSource(run))) == 40


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with BagWriter(tmp_path / "run", compression="lz4") as writer:
        for k in range(60):
            writer.write_frame(small_frame(k), 33 * MS * k)
            writer.write_bytes("rows", os.urandom(60_000), 33 * MS * k)
    return writer.path


def frames_of(path: Path) -> int:
    return len(read_all(RecordingSource(path, allow_incomplete=True)))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77, 0.999])
def test_a_cut_anywhere_leaves_what_was_before_it(run: Path, share: float) -> None:
    data = run.read_bytes()
    run.write_bytes(data[: int(len(data) * share)])
    expected = 60 * share - 18 if share < 0.99 else 60
    tail = find_tail(run)
    assert tail.keep + tail.lost == int(len(data) * share)
    assert expected <= frames_of(run) <= 60


def test_repair_makes_a_whole_file_of_it(run: Path) -> None:
    whole = [(m.topic, m.log_ns, m.raw) for m in BagFile(run).messages()]
    data = run.read_bytes()
    run.write_bytes(data[: len(data) * 2 // 3])
    tail = repair(run)
    assert tail.lost > 0
    assert is_complete(run)
    bag = BagFile(run)
    read = [(m.topic, m.log_ns, m.raw) for m in bag.messages()]
    assert read == whole[: len(read)]
    assert len(read) == tail.messages == sum(topic.count for topic in bag.topics.values())
    again = run.read_bytes()
    assert repair(run).lost == 0
    assert run.read_bytes() == again


def test_without_its_index_alone_nothing_is_lost(run: Path) -> None:
    whole = [(m.topic, m.log_ns, m.raw) for m in BagFile(run).messages()]
    tail = find_tail(run)
    run.write_bytes(run.read_bytes()[: tail.keep])
    bag = BagFile(run, allow_incomplete=True)
    assert [(m.topic, m.log_ns, m.raw) for m in bag.messages()] == whole


@pytest.mark.parametrize("zeros", [slice(-40_000, None), slice(-12_000, -4_000)])
def test_the_last_chunk_counts_only_if_its_bytes_are_there(run: Path, zeros: slice) -> None:
    """After a power cut a file can have its length but zeros in place of some of the last bytes."""
    tail = find_tail(run)
    data = np.frombuffer(run.read_bytes()[: tail.keep], dtype=np.uint8).copy()
    data[zeros] = 0
    run.write_bytes(data.tobytes())
    assert 60 - 36 <= frames_of(run) < 60


@pytest.mark.parametrize("opcode", [6, 7])
@pytest.mark.parametrize("length", [0, 3, 33])
def test_records_that_are_too_short_for_what_they_hold(run: Path, opcode: int, length: int) -> None:
    tail = find_tail(run)
    chunk = b"\x06" + (32 + 8 + 4).to_bytes(8, "little") + bytes(44)
    record = bytes([opcode]) + length.to_bytes(8, "little") + b"\xff" * length
    run.write_bytes(run.read_bytes()[: tail.keep] + (chunk if opcode == 7 else b"") + record)
    if opcode == 7 and length > 6:
        find_tail(run)
        return
    with pytest.raises(BadInput, match=r"run.mcap: damaged near byte \d+, not only cut short") as caught:
        find_tail(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_is_read_or_refused(run: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(run.read_bytes(), dtype=np.uint8).copy()[: -8 - 1000 * seed]
    data[rng.integers(8, len(data), 400 if seed % 2 else 4)] = rng.integers(0, 256)
    data[-200 * seed :][::7] = 255
    run.write_bytes(data.tobytes())
    for use in (frames_of, repair):
        with suppress(BadInput):
            use(run)


def test_not_an_mcap_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.mcap"
    path.write_text("not a bag at all")
    with pytest.raises(BadInput, match=r"notes\.mcap: not an MCAP file"):
        repair(path)


def test_nothing_to_be_saved(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + bytes(100))
    with pytest.raises(BadInput, match="cut short before the first chunk was finished"):
        find_tail(path)
