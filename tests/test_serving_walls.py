"""What a request may touch: numpy and LightGBM (which brings scipy), not training; and whose `models` this is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ANSWER = """
import sys
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pandas", "sklearn", "mlflow", "shap", "pyarrow", "matplotlib"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Wall())
from pathlib import Path
from serving.predictor import Predictor
from serving.openapi import EXAMPLE_CASE
from features.case import read_case
predictor = Predictor.from_folder(Path(sys.argv[1]), synthetic=True)
print(predictor.answers([read_case(EXAMPLE_CASE)])[0]["probability"])
"""


def test_answers_need_numpy_and_lightgbm_alone(served_models: Path, project_root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", ANSWER, str(served_models)],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert 0 < float(run.stdout) < 1


def test_the_rooms_are_those_of_this_checkout(project_root: Path) -> None:
    import experiments
    import features
    import models
    import serving
    import training

    for room in (features, models, training, experiments, serving):
        assert Path(room.__file__ or "").is_relative_to(project_root)


def test_models_says_in_its_first_line_that_it_is_code(project_root: Path) -> None:
    assert "code" in (project_root / "models" / "__init__.py").read_text(encoding="utf-8").splitlines()[0]
