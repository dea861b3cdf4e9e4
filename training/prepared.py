"""The cases of a run with what no fold changes, and a fold of them fitted and forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from features.errors import Refusal
from features.table import FeatureTable
from training.fit import SHIFT_SD, contenders_of, with_terms
from training.known import Whole
from training.pool import Cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.fit import Recipe
    from training.judged import FloatArray
    from training.pool import Pool
    from training.split import Split

    Judged = tuple["Fold", Mapping[str, FloatArray], Any]


class NothingPrepared(Refusal):
    """A fold was asked of workers that were given no cases."""

    code = "nothing_prepared"


@dataclass(frozen=True, eq=False)
class Fold:
    """A split to be fitted and forecast.

    Attributes
    ----------
    split
        Rows to fit on and rows to forecast.
    outcome
        Shape (n,) of the whole pool: outcomes in place of the recorded ones (permuted); None for those.
    comparators
        Rivals in place of the recipe's; None for those.
    terms
        Terms switched on in place of the recipe's; None for those.
    """

    split: Split
    outcome: FloatArray | None = None
    comparators: tuple[str, ...] | None = None
    terms: tuple[str, ...] | None = None

    def changed(self, recipe: Recipe) -> Recipe:
        """Return the recipe with what this fold asks for instead."""
        asked = recipe if self.terms is None else with_terms(recipe, self.terms)
        return asked if self.comparators is None else replace(asked, comparators=self.comparators)


class Prepared:
    """A recipe and the cases it is fitted on, prepared when the first fold asks.

    Parameters
    ----------
    recipe, pool
        None only where no fold will be asked for.
    """

    def __init__(self, recipe: Recipe | None, pool: Pool | None) -> None:
        self.recipe, self.pool = recipe, pool

    @cached_property
    def _given(self) -> tuple[Recipe, Pool]:
        if self.recipe is None or self.pool is None:
            raise NothingPrepared("there are neither recipe nor cases")
        return self.recipe, self.pool

    @cached_property
    def _whole(self) -> Whole:
        return Whole(self._given[1].batch())

    @cached_property
    def _described(self) -> tuple[Whole, ...]:
        described = self._given[0].described
        return () if described is None else (Whole(described.batch),)

    def worked_out(self) -> Prepared:
        """Work out now what every fold will ask for, so that no process does it again; return this."""
        if self.pool is not None:
            recipe, _ = self._given
            table = FeatureTable.for_family(recipe.family, recipe.leave_out)
            for whole in (self._whole, *self._described):
                whole.work_out(table, recipe.evidence)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process: columns and evidence as known, the cases as tables."""
        if self.pool is None:
            return {"recipe": self.recipe, "pool": None, "known": ()}
        known = [(one.columns_known, one.evidence_known) for one in (self._whole, *self._described)]
        return {"recipe": self.recipe, "pool": self.pool.without_what_is_worked_out(), "known": known}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was sent; the cases are laid out again, which is faster than to send them so."""
        self.recipe, self.pool = state["recipe"], state["pool"]
        if self.pool is not None:
            for whole, (columns, evidence) in zip((self._whole, *self._described), state["known"], strict=True):
                whole.columns_known, whole.evidence_known = columns, evidence

    def judge(self, fold: Fold) -> Judged:
        """Fit everything on the training rows of a fold, and forecast the others."""
        recipe, pool = self._given
        train, test = self._whole.part(fold.split.train), self._whole.part(fold.split.test)
        outcome = pool.outcome if fold.outcome is None else fold.outcome
        rows = fold.split.train
        cases = Cases(train.batch, outcome[rows], pool.patients[rows], None if pool.sites is None else pool.sites[rows])
        described = (whole.part() for whole in self._described)
        contenders = contenders_of(fold.changed(recipe), cases, (train, test, *described))
        values, answered = contenders.forecasts(test.batch)
        values[SHIFT_SD] = np.full(test.batch.n, contenders.shift_sd)
        return fold, values, np.asarray(answered)


def judge_fold(prepared: Prepared, fold: Fold) -> Judged:
    """Return a fold with its forecasts and who was answered: a piece of work for :class:`training.workers.Workers`."""
    return prepared.judge(fold)
