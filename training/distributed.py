"""Training beyond memory, on Dask: partitions become features once, the ridge is solved on sums, boosters by LightGBM.

Cases are read, encoded and kept by partition; Dask puts aside on disk what a worker has no room for, and works out
again what a lost worker had. The linear term is solved by Newton's method on sums over partitions (Hessian and
gradient: the sufficient statistics of a step). Boosters are :mod:`lightgbm.dask`'s, on sparse matrices; they need all
workers at once, so a lost worker means that they are fitted again, up to :data:`ATTEMPTS` times.

What differs from :func:`models.response_fit.fit_response`, whose model of a sample gives feature table, penalty,
interval and applicability: boosters start from in-sample values, and the calibrator is fitted on held-out patients in
place of folds. With thousands of cases per parameter the two agree (tests; docs/benchmarks.md). The interval is that
of the sample, wider than all cases would allow.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from features.cluster import client_of
from features.errors import Refusal
from features.flat_batch import read_flat
from features.table import FeatureTable
from models.boosted import BoostedTerm
from models.boosted_fit import parameters, preset
from models.calibration import fit_calibration
from models.declared_signs import declared_signs, next_held
from models.evidence import EvidenceTerm
from models.inputs import Inputs
from models.linear import LinearTerm
from models.linear_fit import EVIDENCE_SCALE, FLAG_SCALE, NO_SPREAD, factors_of
from models.metrics import auroc
from models.response_fit import fit_response
from models.terms import Terms
from training import distributed_parts as parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.inputs import FloatArray, IntArray
    from models.response import EvidenceLike, ResponseModel
    from models.settings import ResponseSettings
    from training.distributed_parts import Features, Partition

SAMPLE = 20_000
"""Cases of the sample that feature table, penalty, interval and applicability come from."""

STEPS, CONVERGED = 25, 1e-6
"""Newton steps at most, and the largest change of a coefficient at which they stop: it is squared with every step, so
what is left after such a change is below 1e-9; five are usual."""

ATTEMPTS = 3
"""How often boosters are fitted again after a worker was lost."""


class BoostersLost(Refusal):
    """Workers were lost in every attempt to fit the boosters."""

    code: ClassVar[str] = "boosters_lost"


@dataclass(frozen=True)
class Recipe:
    """What decides a fit beside the cases.

    Attributes
    ----------
    family, settings, evidence
        As for :func:`models.response_fit.fit_response`; the terms' switches hold here as well.
    card
        ``name``, ``endpoint``, ``trained_on``, ``synthetic``.
    leave_out
        Builders to leave out.
    """

    family: str
    settings: ResponseSettings
    evidence: EvidenceLike | None
    card: dict[str, Any]
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class DistributedFit:
    """A model, how many cases it was fitted on, and its AUROC on patients that were held out."""

    model: ResponseModel
    cases: int
    held_out: int
    auroc: float


@dataclass(frozen=True)
class Linear:
    """A solved ridge: ``design @ beta`` is w * evidence + linear."""

    centre: FloatArray
    scale: FloatArray
    beta: FloatArray


def train(
    partitions: Sequence[Partition],
    recipe: Recipe,
    scheduler: str = "local",
    workers: int = 2,
    memory: str = "auto",
) -> DistributedFit:
    """Fit on all partitions.

    Parameters
    ----------
    partitions
        From :func:`training.distributed_parts.partitions_of`.
    recipe
        What is fitted.
    scheduler, workers, memory
        See :func:`features.cluster.client_of`.
    """
    sample = sample_model(partitions, recipe)
    with client_of(scheduler, workers, memory) as client:
        reading = client.submit(_once, (sample.table, _without_cache(sample.evidence)), pure=False)
        kept = [client.submit(_features, one, reading, pure=False, retries=ATTEMPTS) for one in partitions]
        linear = solved(client, kept, sample, recipe.settings)
        boosted = _boosted(client, kept, linear, sample, recipe.settings) if recipe.settings.boosted.on else None
        terms = _terms(client, kept, linear, boosted, sample)
        scored = client.gather(client.map(_held_out_z, kept, terms=client.submit(_once, terms, pure=False), pure=False))
        cases = int(sum(client.gather(client.map(_fitted_cases, kept, pure=False))))
    z, y = (np.concatenate(column) for column in zip(*scored, strict=True))
    calibration = fit_calibration(z, y, np.ones(len(z)), recipe.settings.calibration)
    card = {**sample.card, "distributed": {"cases": cases, "held_out": len(z), "partitions": len(partitions)}}
    model = replace(sample, terms=terms, calibration=calibration, card=card)
    return DistributedFit(model, cases, len(z), auroc(y, z, np.ones(len(z))))


def _once(what: Any) -> Any:
    """Return what is given: as a task of its own it travels once, and is made again when its worker is lost."""
    return what


def _without_cache(evidence: EvidenceLike | None) -> EvidenceLike | None:
    """Return an evidence term without what it has worked out so far: that need not travel."""
    return replace(evidence, _cache=OrderedDict()) if isinstance(evidence, EvidenceTerm) else evidence


def _features(partition: Partition, reading: tuple[Any, Any]) -> Features:
    return parts.features_of(partition, *reading)


def sample_model(partitions: Sequence[Partition], recipe: Recipe) -> ResponseModel:
    """Fit the model of a sample, the first rows of every partition; see the module for what is taken from it."""
    most = -(-SAMPLE // len(partitions))
    tables, outcomes = zip(*(one.read(most) for one in partitions), strict=True)
    table, y = pa.concat_tables(tables, promote_options="default").combine_chunks(), np.concatenate(outcomes)
    known = np.flatnonzero(~np.isnan(y))
    part = read_flat(table.take(pa.array(known))).parts[0]
    batch, y = part.batch, y[known][part.rows]
    names = [p or c or str(i) for i, (p, c) in enumerate(_names(batch))]
    settings = replace(recipe.settings, boosted=replace(recipe.settings.boosted, seeds=1, trees=1))
    return fit_response(
        batch,
        y,
        names,
        table=FeatureTable.for_family(recipe.family, recipe.leave_out).fit(batch),
        evidence=recipe.evidence,
        settings=settings,
        card=recipe.card,
    ).model


def _names(batch: Any) -> list[tuple[str | None, str | None]]:
    return list(zip(batch.texts["patient_id"].texts(), batch.texts["case_id"].texts(), strict=True))


# --- linear -------------------------------------------------------------------------------------------------------


def solved(client: Any, kept: Sequence[Any], sample: ResponseModel, settings: ResponseSettings) -> Linear:
    """Solve the ridge by Newton's method on sums over partitions; evidence is one more, hardly penalised column."""
    columns = sample.table.columns
    moments = _summed(client, parts.moments, kept)
    centre, scale = scaling_of(moments, [c.unit == "flag" for c in columns])
    start = Linear(centre, scale, np.zeros(len(columns) + 2))
    if sample.terms.linear is None:  # switched off: evidence stands alone, with weight 1
        start.beta[[0, -1]] = (0.0, 0.0) if sample.evidence is None else (centre[-1], scale[-1])
        return start
    penalty = sample.terms.linear.penalty
    ridge = np.concatenate([[0.0], factors_of(columns, settings.linear) * penalty, [penalty]])
    signs = np.concatenate([[0], declared_signs(columns, settings.linear), [0]])
    return _signed(client, kept, start, ridge, signs, float(moments[0, -1]))


def _signed(
    client: Any, kept: Sequence[Any], start: Linear, ridge: FloatArray, signs: IntArray, cases: float
) -> Linear:
    """Solve with the coefficients that lie against their declared sign held at 0 (:mod:`models.declared_signs`)."""
    held, refits = np.zeros(len(ridge), dtype=np.bool_), 0
    while True:
        found = _newton(client, kept, start, np.where(held, np.inf, ridge))
        if not signs.any():
            return found
        pull = _summed(client, parts.curvature, kept, found.centre, found.scale, found.beta)[:, -1] / cases
        after = next_held(held, found.beta, pull, signs, refits)
        if np.array_equal(after, held):
            return found
        held, refits = after, refits + 1


def _newton(client: Any, kept: Sequence[Any], start: Linear, ridge: FloatArray) -> Linear:
    free = np.flatnonzero(np.isfinite(ridge))
    beta = start.beta.copy()
    for _ in range(STEPS):
        found = _summed(client, parts.curvature, kept, start.centre, start.scale, beta)
        hessian = found[np.ix_(free, free)] + np.diag(ridge[free])
        step = np.linalg.solve(hessian, found[free, -1] - ridge[free] * beta[free])
        beta[free] += step
        if np.abs(step).max() < CONVERGED:
            break
    if beta[-1] < 0:  # arms would speak for their opposite; see models.linear_fit.fit_linear
        return _newton(client, kept, replace(start, beta=np.zeros(len(beta))), np.append(ridge[:-1], np.inf))
    return replace(start, beta=beta)


def scaling_of(moments: FloatArray, flag: Sequence[bool]) -> tuple[FloatArray, FloatArray]:
    """Return centre and scale of columns and evidence, as :func:`models.linear_fit.scaling` does; evidence last.

    A column that was never known, and a number or evidence that did not vary, is scaled by 1.
    """
    count, total, squares = moments
    some = np.maximum(count, 1.0)
    centre = total / some
    spread = np.sqrt(np.maximum(squares / some - centre**2, 0.0))
    scale = np.where(spread > NO_SPREAD, spread, 1.0)
    scale[:-1] = np.where(flag, FLAG_SCALE, scale[:-1])
    scale[-1] /= EVIDENCE_SCALE
    return centre, scale


def _summed(client: Any, of_partition: Any, kept: Sequence[Any], *arguments: Any) -> FloatArray:
    """Return the sum over partitions, added in their order whatever worker was first."""
    given = [client.submit(of_partition, one, *arguments, pure=False, retries=ATTEMPTS) for one in kept]
    return np.asarray(np.sum(client.gather(given), axis=0), dtype=np.float64)


# --- boosted ------------------------------------------------------------------------------------------------------


def _boosted(
    client: Any, kept: Sequence[Any], linear: Linear, sample: ResponseModel, settings: ResponseSettings
) -> BoostedTerm:
    ready = [client.submit(_ready, one, linear, pure=False, retries=ATTEMPTS) for one in kept]
    sizes = client.gather([client.submit(len_of, one, pure=False) for one in ready])
    p, n = len(sample.table.columns), sum(sizes)
    texts = [
        _tried(
            client, ready, sizes, p, parameters(settings.boosted, sample.table.columns, n, settings.seed + k), settings
        )
        for k in range(settings.boosted.seeds)
    ]
    bare = BoostedTerm(tuple(texts), np.zeros(p), 0.0)
    sums = _summed(client, parts.boosted_sums, kept, client.submit(_once, bare, pure=False)) / n
    return BoostedTerm(bare.texts, sums[:-1], float(sums[-1]))


def _tried(
    client: Any, ready: Sequence[Any], sizes: Sequence[int], p: int, wanted: dict[str, Any], settings: ResponseSettings
) -> str:
    for attempt in range(ATTEMPTS):
        try:
            return _fitted_text(client, ready, sizes, p, wanted, settings)
        except Exception as error:  # LightGBM's network says that a worker is gone in many ways
            if attempt == ATTEMPTS - 1:
                raise BoostersLost(
                    f"the boosters could not be fitted in {ATTEMPTS} attempts: {type(error).__name__}",
                    way_out="Give workers more memory, or fewer cases.",
                ) from error
            client.wait_for_workers(1, timeout=60)
    raise AssertionError("unreachable")


def _fitted_text(
    client: Any, ready: Sequence[Any], sizes: Sequence[int], p: int, wanted: dict[str, Any], settings: ResponseSettings
) -> str:
    import dask.array as da
    from dask import delayed
    from lightgbm.dask import DaskLGBMClassifier
    from scipy.sparse import csr_matrix

    def column(place: int, meta: Any, *width: int) -> Any:
        blocks = [delayed(_item)(one, place) for one in ready]
        arrays = [da.from_delayed(b, (n, *width), meta=meta) for b, n in zip(blocks, sizes, strict=True)]
        return da.concatenate(arrays, axis=0)

    trees = settings.boosted.trees or preset(sum(sizes)).trees
    given = {name: value for name, value in wanted.items() if name != "num_threads"}  # Dask's workers have one each
    model = DaskLGBMClassifier(n_estimators=trees, client=client, **given)
    matrix = column(0, csr_matrix((0, p), dtype=np.float32), p)
    label, start = (column(place, np.zeros(0)) for place in (1, 2))
    with warnings.catch_warnings():  # LightGBM's own default for its own parameter, until it takes it out itself
        warnings.filterwarnings("ignore", message="Parameter n_jobs will be ignored", category=UserWarning)
        model.fit(matrix, label, init_score=start)
    return str(model.booster_.model_to_string(num_iteration=-1))


def _ready(features: Features, linear: Linear) -> tuple[Any, FloatArray, FloatArray]:
    """Return matrix, outcome and start of the fitted cases."""
    fitted = features.fitted()
    return fitted.matrix, fitted.y, parts.starts(features, linear.centre, linear.scale, linear.beta)


def _item(ready: tuple[Any, ...], place: int) -> Any:
    return ready[place]


def len_of(ready: tuple[Any, ...]) -> int:
    """Return the number of cases of a partition that are fitted on."""
    return len(ready[1])


# --- the whole ----------------------------------------------------------------------------------------------------


def _terms(
    client: Any, kept: Sequence[Any], linear: Linear, boosted: BoostedTerm | None, sample: ResponseModel
) -> Terms:
    told = sample.terms.evidence_weight is not None
    weight = float(linear.beta[-1] / linear.scale[-1]) if told else None
    mean = float(linear.centre[-1]) if told else 0.0
    n = float(sum(client.gather(client.map(_fitted_cases, kept, pure=False))))
    part_means = np.sum(client.gather(client.map(_part_sums, kept, pure=False)), axis=0) / n if told else np.zeros(0)
    term = None
    if sample.terms.linear is not None:
        term = LinearTerm(linear.centre[:-1], linear.scale[:-1], linear.beta[1:-1], sample.terms.linear.penalty)
    base = float(linear.beta[0]) + (0.0 if boosted is None else boosted.mean)
    return Terms(base, weight, mean, part_means, term, boosted)


def _fitted_cases(features: Features) -> int:
    return int((~features.held).sum())


def _part_sums(features: Features) -> FloatArray:
    return features.part_sums


def _held_out_z(features: Features, terms: Terms) -> tuple[FloatArray, FloatArray]:
    """Return z and outcome of the held-out cases."""
    z, y = [np.zeros(0)], [np.zeros(0)]
    for matrix, evidence, outcome in features.chunks(held=True):
        found = terms.contributions(Inputs(matrix))
        of_evidence = 0.0 if terms.evidence_weight is None else terms.evidence_weight * (evidence - terms.evidence_mean)
        z.append(terms.base + of_evidence + found.columns.sum(axis=1))
        y.append(outcome)
    return np.concatenate(z), np.concatenate(y)
