"""The wheel holds everything the rooms read at run time: vocabularies, figures, cohort manifests, templates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = ("features", "models", "training", "experiments", "serving")
BESIDE = ("pyproject.toml", "README.md", "LICENSE", "oncorespond.py")


def _read_at_run_time(root: Path) -> set[str]:
    """Return the files of the rooms as the wheel should name them; what Python leaves behind is none of them."""
    found = (path for room in ROOMS for path in (root / room).rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(project_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree, so that no build folder lands in the project; no network is asked."""
    tree = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        shutil.copytree(project_root / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(project_root / name, tree / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", "out", "."]
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(build, cwd=tree, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next((tree / "out").glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_rooms(wheel: Path, project_root: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert sorted(_read_at_run_time(project_root) - inside) == []
    assert "oncorespond.py" in inside


def test_every_table_in_the_wheel_is_the_one_on_disk(wheel: Path, project_root: Path) -> None:
    packed = zipfile.ZipFile(wheel)
    tables = sorted(name for name in packed.namelist() if name.endswith((".csv", ".yaml")))
    folders = {name.rpartition("/")[0] for name in tables}
    assert {"features/vocabularies", "features/sources/synthetic/figures", "experiments/cohorts"} <= folders
    for name in tables:
        assert packed.read(name) == (project_root / name).read_bytes(), name


def test_nothing_of_the_tests_or_of_data_is_in_the_wheel(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        room = name.split("/")[0]
        assert room in {*ROOMS, "oncorespond.py"} or room.endswith(".dist-info"), name
        assert not name.endswith((".parquet", ".pkl", ".pickle", ".sqlite")), name
