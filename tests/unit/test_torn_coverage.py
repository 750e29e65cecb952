"""Coverage of processes that were killed while they wrote it: it is left out, and the rest counts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import coverage

from tests.torn_coverage import remove_torn

PAGE = 4096


def combine(folder: Path) -> int:
    command = [sys.executable, "-m", "coverage", "combine", "--keep", "--rcfile=", f"--data-file={folder / 'data'}"]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False).returncode


def test_a_torn_file_is_left_out_and_the_rest_counts(tmp_path: Path) -> None:
    for number in range(3):
        data = coverage.CoverageData(str(tmp_path / f"data.{number}"))
        data.add_lines({f"/code/{number}.py": range(1, 40)})
        data.write()
    torn = tmp_path / "data.1"
    whole = bytearray(torn.read_bytes())
    assert len(whole) % PAGE == 0
    pages = range(1, len(whole) // PAGE)
    for page in pages:
        torn.write_bytes(whole[: page * PAGE] + bytes(PAGE) + whole[(page + 1) * PAGE :])
        assert remove_torn(tmp_path) == [torn]
    (tmp_path / "data.3").write_bytes(whole[:PAGE])
    assert remove_torn(tmp_path) == [tmp_path / "data.3"]
    assert remove_torn(tmp_path) == []
    assert combine(tmp_path) == 0
    found = coverage.CoverageData(str(tmp_path / "data"))
    found.read()
    assert {Path(name).name for name in found.measured_files()} == {"0.py", "2.py"}
