"""Finished folds of a resampling on disk, so that an interrupted run goes on where it stopped.

The folder's name carries the digest of what was asked, of which cases, by which code and libraries; each file says
which rows it forecast. What cannot be read is fitted again: a cache never decides a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.environment import LIBRARIES, code_digest, library_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from training.judged import FloatArray
    from training.split import Split

ANSWERED, ROWS = "__answered", "__rows"
"""Arrays of a file beside the forecasts, which stand under their predictor's name."""

KEY_LENGTH = 12


def cache_key(asked: Mapping[str, Any], hashes: Sequence[str]) -> str:
    """Return the digest of everything that decides a fold's forecasts: settings, cases, code, libraries."""
    made_with = {name: library_version(name) for name in LIBRARIES}
    said = json.dumps([asked, list(hashes), code_digest(), made_with], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True)
class FoldCache:
    """A folder of finished folds.

    Attributes
    ----------
    folder
        Made when the first fold is kept; :meth:`clear` removes it when the run is done.
    """

    folder: Path

    def kept(self, split: Split) -> tuple[dict[str, FloatArray], Any] | None:
        """Return forecasts and who was answered, or None when the fold is not there, torn, or of other rows."""
        place = self._place(split)
        if not place.is_file():
            return None
        try:
            with place.open("rb") as file, np.load(file, allow_pickle=False) as held:
                found = {name: held[name] for name in held.files}
        except (OSError, ValueError, zipfile.BadZipFile, KeyError, EOFError):
            return None
        if not np.array_equal(found.pop(ROWS, np.empty(0)), split.test):
            return None
        answered = found.pop(ANSWERED)
        return found, answered

    def keep(self, split: Split, values: Mapping[str, FloatArray], answered: Any) -> None:
        """Write a finished fold; half a file never stands under its name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self._place(split)
        half = place.with_suffix(f".{os.getpid()}.half")
        with half.open("wb") as file:
            np.savez(file, **{**values, ANSWERED: answered, ROWS: split.test})
        half.replace(place)

    def clear(self) -> None:
        """Remove the folder: the run is done."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.folder)

    def _place(self, split: Split) -> Path:
        name = "".join(letter if letter.isalnum() else "-" for letter in split.name)
        return self.folder / f"{split.repeat:03d}-{name}.npz"
