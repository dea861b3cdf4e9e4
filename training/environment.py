"""What a run was made with: code commit and whether it was clean, lock digest, platform, library versions."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import features

ROOT = Path(features.__file__).resolve().parent.parent
"""The checkout that the code is imported from."""

MODEL_PACKAGES = ("features", "models")
"""Packages a logged model carries along: all that a prediction needs."""

DECIDING_PACKAGES = ("features", "models", "training")
"""Packages whose code and vocabularies decide what is fitted and forecast."""

LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "pandas", "pyarrow", "mlflow", "shap", "matplotlib")

UNKNOWN = "unknown"
"""Said where the checkout is no git repository, or the lock is not there."""


def code_folders(packages: tuple[str, ...]) -> list[str]:
    """Return the folders of packages in this checkout."""
    return [str(ROOT / name) for name in packages]


@cache
def git_commit() -> tuple[str, str]:
    """Return the commit of the checkout and whether it was changed since: ``("3f2a...", "false")``.

    Looked up once per process, as code is read once: what is written to the checkout later made no number of this run.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return UNKNOWN, UNKNOWN
    return commit, str(bool(_git("status", "--porcelain"))).lower()


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            ["git", "-C", str(ROOT), *words],  # noqa: S607 - the git of the user
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def lock_digest() -> str:
    """Return the SHA-256 of ``requirements.lock``."""
    lock = ROOT / "requirements.lock"
    return f"sha256:{hashlib.sha256(lock.read_bytes()).hexdigest()}" if lock.is_file() else UNKNOWN


@cache
def code_digest() -> str:
    """Return the SHA-256 of everything in the checkout that can move a number: code and vocabularies, by path.

    Looked up once per process, as :func:`git_commit` is.
    """
    digest = hashlib.sha256()
    for package in DECIDING_PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in (".py", ".csv"):
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"sha256:{digest.hexdigest()}"


def environment_tags() -> dict[str, str]:
    """Return everything about the environment that a reader needs to run it again."""
    commit, dirty = git_commit()
    tags = {
        "code.commit": commit,
        "code.dirty": dirty,
        "code.digest": code_digest(),
        "lock.digest": lock_digest(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    return tags | {f"library.{name}": library_version(name) for name in LIBRARIES}


def library_version(name: str) -> str:
    """Return the installed version of a library, ``absent`` when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
