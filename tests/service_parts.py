"""CPU of one recorded answer by part, each part repeated alone: parse, features, model, answer, audit, serialise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse

from features.from_cases import batch_of
from models.answer import answer_of
from serving.audit.entries import PredictionEntry
from serving.audit.recorded import known_features
from serving.body import cases_of, read_object
from serving.identifiers import new_id
from serving.predictor import Predictor
from tests.audit_log import open_log


def _each(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Return CPU milliseconds per item, all threads together, and what was made."""
    began = time.process_time()
    made = [work(item) for item in items]
    return 1000 * (time.process_time() - began) / len(items), made


def parts(place: Path, folder: Path, requests: Path, count: int) -> dict[str, float]:
    """Return milliseconds of CPU per answer by part; HTTP is what remains of the server's CPU per request."""
    lines = requests.read_bytes().splitlines()
    texts = [lines[k % len(lines)] for k in range(count)]
    predictor = Predictor.from_folder(place / "served-models", synthetic=True)
    [model] = predictor.by_family.values()
    predictor.scored(cases_of(read_object(texts[0]))[0])
    parse, cases = _each(lambda text: cases_of(read_object(text))[0][0], texts)
    layout, batches = _each(lambda case: batch_of([case]), cases)
    features, inputs = _each(model.inputs, batches)
    scoring, answered = _each(lambda pair: model.answers(*pair), list(zip(batches, inputs, strict=True)))
    words, answers = _each(lambda one: answer_of(one, 0, new_id()), answered)
    known, values = _each(lambda one: known_features(one, 0), answered)
    entries = [
        PredictionEntry(case, answer, "checkpoint", "bench", 1.0, features=value)
        for case, answer, value in zip(cases, answers, values, strict=True)
    ]
    serialise, _ = _each(lambda one: JSONResponse(one).body, answers)
    return {
        "parse": parse,
        "features": layout + features,
        "model and contributions": scoring,
        "answer in words": words,
        "audit": known + _recorded(folder, entries),
        "serialise": serialise,
    }


def _recorded(folder: Path, entries: list[PredictionEntry]) -> float:
    """CPU of recording from 16 threads, so that records share commits as under load."""
    where = folder / f"parts-{time.time_ns()}"
    where.mkdir()
    auditor = open_log(where)
    began = time.process_time()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(auditor.record_prediction, entries))
    spent = time.process_time() - began
    auditor.close()
    return 1000 * spent / len(entries)
