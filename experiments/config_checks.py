"""What an experiment file may not say: numbers that nothing can be done with, names that there are not."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from experiments.settings_reader import WrongSetting
from features.errors import seen_text
from features.table import BUILDERS, FeatureTable
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from experiments.config import Experiment


LEAST = {
    "resampling.repeats": 0,
    "resampling.folds": 2,
    "model.folds": 2,
    "model.boosted.seeds": 1,
    "model.boosted.leaves": 2,
    "model.boosted.trees": 0,
    "model.boosted.trials": 0,
    "evaluation.bootstraps": 1,
    "evaluation.local_outcomes": 1,
    "evaluation.local_draws": 1,
    "evaluation.permutations": 1,
    "cohorts.synthetic_cases": 1,
    "cohorts.published_arms": 0,
}
"""Numbers and the least that each can be."""


def refuse_too_few(experiment: Experiment) -> None:
    """Refuse numbers with which nothing can be fitted or judged."""
    for path, least in LEAST.items():
        if (found := attrgetter(path)(experiment)) < least:
            raise WrongSetting(f"{found:g} is less than {least}", field=path, way_out=f"Give {least} or more.")
    penalties = experiment.model.linear.penalties
    if not penalties or min(penalties) <= 0:
        seen = f"{seen_text(min(penalties))} is not above 0" if penalties else "names none"
        raise WrongSetting(seen, field="model.linear.penalties", way_out="Give one penalty or several.")


def refuse_unknown_names(experiment: Experiment) -> None:
    """Refuse names of builders and features that there are not: a misspelt one would be passed over in silence."""
    left_out, rules = experiment.features.leave_out, experiment.model.applicability
    builders = [kind.name for kind in BUILDERS]
    if unknown := [name for name in left_out if name not in builders]:
        raise WrongSetting(
            f"{unknown[0]!r} is no builder", field="features.leave_out", allowed=_near(unknown[0], builders)
        )
    columns = FeatureTable.for_family(experiment.family, left_out).value_columns
    features = [column.feature for column in columns if column.missing == "indicator"]
    where = "model.applicability.key_inputs"
    if unknown := [name for name in rules.key_inputs if name not in features]:
        seen = f"{unknown[0]!r} is no feature of this table that can be unknown"
        raise WrongSetting(seen, field=where, allowed=_near(unknown[0], features))
    if rules.fewest_key_inputs > len(rules.key_inputs):
        seen = f"{rules.fewest_key_inputs} of {len(rules.key_inputs)} key inputs cannot be known"
        raise WrongSetting(seen, field="model.applicability.fewest_key_inputs", way_out=f"Name them in {where}.")


def _near(name: str, names: Sequence[str]) -> Sequence[str]:
    return nearest(name, names) or sorted(set(names))


def refuse_terms_twice(raw: dict[str, Any]) -> None:
    """Refuse switches under ``model``; YAML 1.1 reads the bare key ``on`` as true, so both spellings are looked for."""
    model = raw.get("model")
    if not isinstance(model, dict):
        return
    sections = {name: model[name] for name in ("linear", "boosted") if isinstance(model.get(name), dict)}
    said = [f"model.{name}.on" for name, section in sections.items() if "on" in section or True in section]
    said += ["model.evidence"] if "evidence" in model else []
    if said:
        raise WrongSetting("is said under `terms`", field=said[0], way_out="Write terms: {boosted: true}.")
