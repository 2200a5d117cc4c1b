"""The backend in CONTRIBUTING.md works when installed as a package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="the suite for sources needs hypothesis")

pytestmark = pytest.mark.machine

DOCUMENT = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"


def test_example_backend_passes_the_suite(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    files = dict(re.findall(r"<!-- file: (\S+) -->\n\n```python\n(.*?)```", text, re.DOTALL))
    assert set(files) == {"biggus_npz.py", "test_biggus_npz.py"}
    for name, code in files.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    (entry_point,) = re.findall(r"^npz = \"(.*)\"$", text, re.MULTILINE)
    info = tmp_path / "biggus_npz-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: biggus-npz\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[biggus.backends]\nnpz = {entry_point}\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"),
            *("--rootdir", str(tmp_path), str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d\d passed", done.stdout), done.stdout
