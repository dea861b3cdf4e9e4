"""A run of bulk scoring: blocks that are not done are scored, kept, and made into the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import Refusal, seen_text
from features.vocabulary import version as vocabulary_version
from serving.bulk.crew import Alone, Processes, cores
from serving.bulk.folder import RunFolder
from serving.bulk.parcel import Parcel
from serving.bulk.rows import GRANULE
from serving.bulk.sources import UnreadableCases, source_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.response import ResponseModel
    from serving.bulk.columns import Contributions
    from serving.bulk.crew import Crew
    from serving.bulk.sources import Source

BLOCK = 65_536
"""Cases per block: some seconds of work, and what an interrupted run loses at most."""

CONTRIBUTIONS = ("all", "grouped", "none")


class UnknownOption(Refusal):
    """An option of bulk scoring that there is not."""

    code = "unknown_option"


@dataclass(frozen=True)
class Options:
    """How a run is done; only ``contributions`` changes what is written.

    Attributes
    ----------
    contributions
        ``all`` (one column per feature), ``grouped`` (eight sums), ``none`` (probability and interval alone).
    workers
        Processes; 0 is one per core.
    block
        Cases per block, rounded up to whole granules (8,192).
    scheduler
        None (processes of this machine), or a Dask scheduler: ``local``, ``tcp://host:8786``, a scheduler file.
    restart
        Throw away the blocks of an interrupted run instead of going on from them.
    """

    contributions: Contributions = "all"
    workers: int = 1
    block: int = BLOCK
    scheduler: str | None = None
    restart: bool = False

    def __post_init__(self) -> None:
        if self.contributions not in CONTRIBUTIONS:
            raise UnknownOption(
                f"{seen_text(self.contributions)} is no choice", field="contributions", allowed=CONTRIBUTIONS
            )
        if self.workers < 0 or self.block < 1:
            raise UnknownOption("workers are 0 or more, and a block has a case at least", field="workers, block")


@dataclass(frozen=True)
class Scored:
    """What a run did: cases by status; ``resumed`` were done by an earlier run."""

    cases: int
    predicted: int
    abstained: int
    refused: int
    resumed: int = 0


def score(
    source: str | Path,
    model: ResponseModel,
    out: str | Path,
    options: Options | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scored:
    """Score every case of a source and write one Parquet file; the same bytes whatever the blocks and the workers.

    Parameters
    ----------
    source
        See :func:`serving.bulk.sources.source_of`.
    model
        The model that scores them all; cases of therapies it does not know are abstained, with the reason.
    out
        Parquet, one row per case in input order; see :func:`serving.bulk.columns.scored_table`. Rows that are no case
        are there with status ``refused`` and their codes, and in ``<out>.refused.jsonl`` with what is wrong.
    options
        See :class:`Options`.
    progress
        Called with the cases done and all cases, after every block.

    Raises
    ------
    UnreadableCases, AnotherRun, WorkerLost, NoScheduler
    """
    wanted = options or Options()
    cases = source_of(source)
    if not cases.n:
        raise UnreadableCases(f"{source} holds no case")
    folder = RunFolder(str(out), _about(cases, model, wanted), -(-wanted.block // GRANULE) * GRANULE)
    done = folder.open(wanted.restart)
    numbered = list(enumerate(_sizes(cases, folder.block)))
    finished = resumed = sum(size for number, size in numbered if number in done)
    if progress:
        progress(finished, cases.n)
    left = ((number, block) for number, block in enumerate(cases.blocks(folder.block)) if number not in done)
    for number, scored in _crew(model, wanted, len(numbered) - len(done)).work(left):
        folder.keep(number, scored)
        finished += scored.cases
        if progress:
            progress(finished, cases.n)
    counts = folder.finish(len(numbered))
    return Scored(cases.n, counts["predicted"], counts["abstained"], counts["refused"], resumed)


def _sizes(cases: Source, block: int) -> list[int]:
    """Return how many cases each block has, without reading any."""
    return [min(block, rows - start) for rows in cases.rows for start in range(0, rows, block)]


def _about(cases: Source, model: ResponseModel, options: Options) -> dict[str, Any]:
    digest = model.identity.digest or Parcel.of(model, "none").digest
    return {
        "cases": cases.fingerprint(),
        "model": digest,
        "contributions": options.contributions,
        "vocabulary": vocabulary_version(),
        "granule": GRANULE,
    }


def _crew(model: ResponseModel, options: Options, blocks: int) -> Crew:
    workers = min(options.workers or cores(), max(blocks, 1))
    if options.scheduler is not None:
        from serving.bulk.dask_crew import Dask

        return Dask(model, options.contributions, options.scheduler, options.workers or cores())
    if workers > 1:
        return Processes(model, options.contributions, workers)
    return Alone(model, options.contributions)
