"""A third-party backend, installed as a distribution of its own, without a network."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "fake_plugin"


def install_with_pip(plugin, target):
    if find_spec("pip") is None or find_spec("hatchling") is None:
        pytest.skip("pip and hatchling are needed to build a package without a network")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", target, plugin]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def install_by_hand(plugin, target):
    """Copy a package to where an installer would, with the metadata that it would write."""
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    shutil.copytree(plugin / "biggus_grid", target / "biggus_grid")
    info = target / f"biggus_grid-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def plugin(tmp_path):
    """Return a copy of the plugin's project."""
    copy = tmp_path / "project"
    shutil.copytree(PLUGIN, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.mark.machine
@pytest.mark.parametrize(
    ("install", "which"), [(install_with_pip, "finds or truncated"), (install_by_hand, "")]
)
def test_third_party_backend_passes_its_tests(install, which, plugin, tmp_path):
    pytest.importorskip("hypothesis")
    target = tmp_path / "site"
    target.mkdir()
    install(plugin, target)
    (found,) = distributions(name="biggus-grid", path=[str(target)])
    assert [entry.name for entry in found.entry_points] == ["grid"]
    root = str(Path(__file__).parents[1])
    paths = [str(target), root, os.environ.get("PYTHONPATH", "")]
    flags = ["-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "-k", which]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags],
        cwd=plugin,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert "passed" in summary
    assert "skipped" not in summary
