"""Who works on the blocks: this process, processes of this machine, or Dask; never more in hand than is worked on."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol

from features.errors import Refusal
from models.bulk_model import for_bulk
from serving.bulk.parcel import Parcel, score_parcel
from serving.bulk.scoring import score_block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from models.response import ResponseModel
    from serving.bulk.columns import Contributions
    from serving.bulk.scoring import ScoredBlock
    from serving.bulk.sources import Block

    Numbered = tuple[int, Block]
    Done = tuple[int, ScoredBlock]

IN_HAND = 2
"""Blocks per worker that are read or waiting at a time: one worked on, one ready. This bounds the memory."""

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")


class WorkerLost(Refusal):
    """A process that was scoring ended without a word; most often it ran out of memory."""

    code = "worker_lost"


class Crew(Protocol):
    """Scores blocks; hands them back as they are finished, in any order."""

    def work(self, blocks: Iterable[Numbered]) -> Iterator[Done]:
        """Yield each block's number and what came of it."""
        ...


class Alone:
    """The process itself."""

    def __init__(self, model: ResponseModel, contributions: Contributions) -> None:
        self._model, self._contributions = for_bulk(model, contributions != "none"), contributions

    def work(self, blocks: Iterable[Numbered]) -> Iterator[Done]:
        """Score one block after the other."""
        for number, block in blocks:
            yield number, score_block(block, self._model, self._contributions)


class Processes:
    """Processes of this machine, one per core, one thread each."""

    def __init__(self, model: ResponseModel, contributions: Contributions, workers: int) -> None:
        self._parcel, self._workers = Parcel.of(model, contributions), workers

    def work(self, blocks: Iterable[Numbered]) -> Iterator[Done]:
        """Score blocks side by side.

        Raises
        ------
        WorkerLost
            When a process ended; finished blocks are kept.
        """
        waiting: dict[Future[ScoredBlock], int] = {}
        with _one_thread_each(), ProcessPoolExecutor(self._workers, get_context("spawn")) as pool:
            try:
                for number, block in blocks:
                    waiting[pool.submit(score_parcel, block, self._parcel)] = number
                    if len(waiting) >= IN_HAND * self._workers:
                        yield from _finished(waiting)
                while waiting:
                    yield from _finished(waiting)
            except BrokenProcessPool as error:
                raise WorkerLost(
                    "a worker process ended, most often for want of memory",
                    way_out="Run the same command again: it goes on where this one stopped; fewer --workers need less.",
                ) from error
            finally:
                for future in waiting:
                    future.cancel()


def _finished(waiting: dict[Future[ScoredBlock], int]) -> Iterator[Done]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that are started now use one thread each: libraries read this when they are loaded."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
