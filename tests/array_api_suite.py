"""Run the array API test suite on NumPy and biggus, and list the tests that only NumPy passes.

Run on demand (``tox -e array-api``), as the suite is on no package registry:
``ARRAY_API_TESTS_DIR`` is a checkout of data-apis/array-api-tests, with its submodule.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
MODULES = ("numpy", "biggus.array_api")
MOST = 20
"""The most tests that array_api_xfails.txt may list."""


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")


def run(
    folder: Path, module: str, tests: Sequence[str] = ("array_api_tests",), examples: int = 3
) -> dict[str, str]:
    """Return the outcome of each test: ``"passed"``, ``"failed"`` or ``"skipped"``."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "report.xml")
        environment = {
            **os.environ,
            "ARRAY_API_TESTS_MODULE": module,
            "ARRAY_API_TESTS_VERSION": "2024.12",
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
            ),
        }
        options = ["-q", "-p", "no:cacheprovider", f"--max-examples={examples}"]
        options += ["--disable-deadline", "--derandomize", f"--junitxml={report}"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *tests, *options],
            cwd=folder,
            env=environment,
            check=False,
        )
        found = {}
        for case in ET.parse(report).getroot().iter("testcase"):
            place = case.get("classname", "").replace(".", "/") + ".py"
            kinds = {child.tag for child in case}
            ended = "failed" if kinds & {"failure", "error"} else "passed"
            found[f"{place}::{case.get('name')}"] = "skipped" if "skipped" in kinds else ended
        return found


def main() -> int:
    """Compare both, and return the exit status."""
    given = os.environ.get("ARRAY_API_TESTS_DIR")
    if not given or not Path(given, "array_api_tests").is_dir():
        say("skipped: ARRAY_API_TESTS_DIR is no checkout of data-apis/array-api-tests")
        return 0
    lines = (HERE / "array_api_xfails.txt").read_text().splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    numpys, own = (run(Path(given), module) for module in MODULES)
    for name, found in {"numpy": numpys, "biggus": own}.items():
        ends = list(found.values())
        counts = ", ".join(f"{ends.count(end)} {end}" for end in ("passed", "failed", "skipped"))
        say(f"{name}: {counts}")
    lacking = {test for test, end in numpys.items() if end == "passed" and own.get(test) != end}
    if lacking - listed:
        # Tests that may differ by chance run again with more examples.
        doubtful = sorted(lacking - listed)
        numpys, own = (run(Path(given), module, doubtful, 100) for module in MODULES)
        lacking -= {
            test for test in doubtful if numpys.get(test) != "passed" or own.get(test) == "passed"
        }
    for test in sorted(lacking - listed):
        say(f"NumPy alone passes {test}")
    if len(listed) > MOST:
        say(f"{len(listed)} tests are listed, and {MOST} may be")
    return int(bool(lacking - listed) or len(listed) > MOST or not numpys)


if __name__ == "__main__":
    raise SystemExit(main())
