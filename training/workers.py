"""Processes that share the work of one run: folds to fit, rows to judge. Their number never changes a result.

Each process gets the recipe and the pool once, with what no fold changes (:mod:`training.prepared`); after that only
row numbers go in and forecasts come out.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Self

from training.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from training.fit import Recipe
    from training.pool import Pool

WORTH_A_PROCESS = 8
"""Pieces of work below which starting processes (about four seconds of imports each) costs more than it saves."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""One thread per process: matrices here are small, and threads that share two cores made a fit eight times slower."""


class Workers:
    """Processes of one run, started when there is enough work for the first time and kept until the end.

    They are forked from a server that imported what a fit needs once and does nothing else: the libraries lie in
    memory once, and no lock of this process's threads (progress bars, Arrow) is copied.

    Parameters
    ----------
    recipe, pool
        What is fitted, on which cases; pieces of work name rows of this pool.
    count
        Processes; with 1 everything is done here.

    Examples
    --------
    >>> with Workers.here() as workers:
    ...     sorted(workers.run(lambda prepared, number: number * 2, [1, 2]))
    [2, 4]
    """

    def __init__(self, recipe: Recipe | None, pool: Pool | None, count: int = 1) -> None:
        self.prepared = Prepared(recipe, pool)
        self._count = count
        self._executor: ProcessPoolExecutor | None = None

    @classmethod
    def here(cls) -> Self:
        """Return workers that do everything in this process and know no cases."""
        return cls(None, None)

    def run(self, work: Callable[[Prepared, Any], Any], pieces: Iterable[Any]) -> Iterator[Any]:
        """Yield what ``work`` makes of each piece, in the order in which they are done.

        Parameters
        ----------
        work
            A function of a module (it is sent by name), of what is prepared and a piece.
        """
        asked = list(pieces)
        if self._count < 2 or (self._executor is None and len(asked) < WORTH_A_PROCESS):
            yield from (work(self.prepared, piece) for piece in asked)
            return
        waiting = [self._started().submit(_work_shared, work, piece) for piece in asked]
        try:
            for done in as_completed(waiting):
                yield done.result()
        finally:
            for left in waiting:
                left.cancel()

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = get_context("forkserver")
            context.set_forkserver_preload([__name__, "lightgbm", "sklearn.linear_model"])
            with _one_thread_each():
                self._executor = ProcessPoolExecutor(
                    self._count, context, initializer=_share, initargs=(self.prepared.worked_out(),)
                )
                self._executor.submit(os.getpid)  # processes inherit the variables when they start, which is now
        return self._executor

    def close(self) -> None:
        """Stop the processes; work that has not begun is given up."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_SHARED: list[Prepared] = []
"""What a process was given when it started."""


def _share(prepared: Prepared) -> None:
    _SHARED[:] = [prepared]


def _work_shared(work: Callable[[Prepared, Any], Any], piece: Any) -> Any:
    return work(_SHARED[0], piece)
