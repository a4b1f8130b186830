"""Files of truth and tracks: each row has an identity, once in a frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.errors import BadInput
from tracking.evaluation import read_identified

ROW = "10,20,30,40,1,-1,-1,-1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"1,4,{ROW}\n\n# again\n1,4,{ROW}\n", "rows.txt:4: identity 4 for the second time in frame 1"),
        (f"2,4,{ROW}\n1,4,{ROW}\n1,5,{ROW}\n2,4,{ROW}\n1,4,{ROW}\n", "rows.txt:4: identity 4 for the second time in"),
        (
            f"1,4,{ROW}\n# what\n2,-1,{ROW}\n",
            "rows.txt:3: no identity (-1) in frame 2: expected tracks, not detections",
        ),
        (f"1,-1,{ROW}\n1,-1,{ROW}\n", "rows.txt:1: no identity (-1) in frame 1"),
        (f"1,4,{ROW}\n1,x,{ROW}\n", "rows.txt:2: 'x' is not a number"),
    ],
)
def test_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rows.txt"
    path.write_text(text)
    with pytest.raises(BadInput) as error:
        read_identified(path)
    assert str(error.value).startswith(str(tmp_path))
    assert message in str(error.value)


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text("")
    assert len(read_identified(path)) == 0
    path.write_text(f"1,4,{ROW}\n1,5,{ROW}\n2,4,{ROW}\n2,-7,{ROW}\n")
    assert read_identified(path).ids.tolist() == [4, 5, 4, -7]


def test_trackers_do_not_need_it() -> None:
    code = "import sys, tracking; print([name for name in ('tracking.evaluation', 'pandas') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
