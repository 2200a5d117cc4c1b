"""Metadata of the project is the same in all places."""

from __future__ import annotations

import configparser
import importlib
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

packaging_requirements = pytest.importorskip("packaging.requirements")
Requirement = packaging_requirements.Requirement

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tox() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "tox.ini", encoding="utf-8")
    return parser


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lower_bounds(pyproject: dict[str, Any]) -> dict[str, set[str]]:
    """Return the lower bounds of the core, the extras and the tests, by distribution."""
    project = pyproject["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
        *pyproject["dependency-groups"]["test"],
    ]
    found: dict[str, set[str]] = {}
    for requirement in map(Requirement, lines):
        if requirement.name != "biggus":
            bounds = {s.version for s in requirement.specifier if s.operator == ">="}
            assert len(bounds) == 1, f"{requirement} wants one lower bound"
            found.setdefault(canonical(requirement.name), set()).update(bounds)
    return found


def test_oldest_tested_dependencies_are_the_lower_bounds(pyproject: dict[str, Any]) -> None:
    version = importlib.import_module("packaging.version").Version
    text = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))
    pinned = {canonical(name): version(pin) for name, pin in pins.items()}
    bounds = {name: set(map(version, found)) for name, found in lower_bounds(pyproject).items()}
    assert {name: {pin} for name, pin in pinned.items()} == bounds


def test_extra_all_includes_every_extra(pyproject: dict[str, Any]) -> None:
    extras = pyproject["project"]["optional-dependencies"]

    def brought(extra: str) -> set[str]:
        names = set()
        for requirement in map(Requirement, extras[extra]):
            if requirement.name == "biggus":
                names.update(*map(brought, requirement.extras))
            else:
                names.add(canonical(requirement.name))
        return names

    assert brought("all") == set().union(*map(brought, extras))


def test_python_versions_agree(pyproject: dict[str, Any], tox: configparser.ConfigParser) -> None:
    project = pyproject["project"]
    classified = {
        line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)
    }
    tested = {f"3.{minor}" for minor in re.findall(r"\bpy3(\d+)\b", tox["tox"]["env_list"])}
    oldest = min(classified, key=lambda text: int(text.partition(".")[2]))
    assert classified == tested | {oldest}  # tested with the oldest dependencies only
    assert project["requires-python"] == f">={oldest}"
    assert pyproject["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert tox["testenv:oldest"]["base_python"] == "py" + oldest.replace(".", "")


def test_tox_lists_all_environments_and_skips_missing_interpreters(
    tox: configparser.ConfigParser,
) -> None:
    listed = set(re.split(r"[,\s]+", tox["tox"]["env_list"]))
    assert tox["tox"].getboolean("skip_missing_interpreters")
    assert {"lint", "types", "docs", "core", "oldest", "py312", "py313"} == listed


def test_tests_named_in_tox_and_documents_exist() -> None:
    names = re.findall(
        r"\btests(?:\{/\}\w+(?:\.py)?)+", (ROOT / "tox.ini").read_text(encoding="utf-8")
    )
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        names += re.findall(r"`(tests/[\w/]+\.py)`", path.read_text(encoding="utf-8"))
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name.replace("{/}", "/")).exists()] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(python3 -m venv .*/tox)$", readme, re.MULTILINE)
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_version_is_in_the_changelog(pyproject: dict[str, Any]) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?([^\]\s]+)", changelog, re.MULTILINE)
    assert pyproject["project"]["version"] in headings


def test_version_attribute(pyproject: dict[str, Any]) -> None:
    biggus = importlib.import_module("biggus")
    assert biggus.__version__ == pyproject["project"]["version"]
    assert importlib.metadata.version("biggus") == biggus.__version__


def test_public_names_exist() -> None:
    biggus = importlib.import_module("biggus")
    missing = [name for name in biggus.__all__ if not hasattr(biggus, name)]
    assert not missing
    assert set(biggus.__all__) <= set(dir(biggus))


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("compute", "ndarrays"), ("from_array", "ArrayAdapter"), ("open_zarr", "open_many")],
)
def test_names_of_other_libraries_suggest_the_equivalent(name: str, suggestion: str) -> None:
    biggus = importlib.import_module("biggus")
    assert hasattr(biggus, suggestion)
    assert not hasattr(biggus, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}': .*biggus.{suggestion}"):
        getattr(biggus, name)


def test_package_is_typed() -> None:
    biggus = importlib.import_module("biggus")
    assert (Path(biggus.__file__).parent / "py.typed").is_file()


def test_entry_points_load_without_extras() -> None:
    script = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'h5py', 'zarr', 'netCDF4', 'PIL', 'urllib3'}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "from importlib.metadata import entry_points\n"
        "for entry in entry_points(group='biggus.backends'):\n"
        "    if entry.value.startswith('biggus.'):\n"
        "        print(entry.name, entry.load()().name)\n"
        "(entry,) = entry_points(group='console_scripts', name='biggus')\n"
        "entry.load()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = sorted(line.split() for line in done.stdout.splitlines())
    assert loaded == [[name, name] for name in ("hdf5", "netcdf", "npy", "tiles", "zarr")]


def test_command_prints_its_version() -> None:
    script = "import sys; from biggus.cli import main; sys.exit(main(['--version']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert importlib.metadata.version("biggus") in done.stdout
