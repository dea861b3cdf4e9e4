"""The same seed gives the same bytes: cohort, artefact and predictions, made twice in different folders."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

MAKE = """
import sys
from pathlib import Path
from features.sources.synthetic import write
from models.artifact import load_artifact, save_artifact
from serving.bulk import score
from tests.served import fit_small
here = Path(sys.argv[1])
write("checkpoint", 300, 11, here / "cohort")
save_artifact(fit_small("checkpoint", cases=300, seed=11), here / "artefact")
score(here / "cohort", load_artifact(here / "artefact"), here / "predictions.parquet")
"""


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_cohort_artefact_and_predictions_are_the_same_bytes(tmp_path: Path, project_root: Path) -> None:
    made = []
    for place, hash_seed in (("one", "1"), ("another/deeper", "2")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(project_root)}
        subprocess.run([sys.executable, "-c", MAKE, str(folder)], cwd=folder, env=environment, check=True)
        made.append(_digests(folder))
    assert len(made[0]) >= 15
    assert made[0] == made[1]
