"""Bulk scoring: many cases from Parquet to Parquet, block by block, in constant memory, resumable.

    sources.py    what is to be scored: Parquet files, JSON Lines, a cohort; and the blocks it comes in
    rows.py       rows of a Parquet file in granules, read forward
    columns.py    a granule of cases to the columns of the output
    scoring.py    one block: read, scored, packed; the same function on every worker
    parcel.py     a model on its way to another process
    crew.py       who works: this process, processes of this machine, or Dask
    folder.py     finished blocks on disk, and the files they become
    run.py        the run itself

What makes the bytes of the output: cases are worked on in *granules* of fixed size, counted from the start of each
file. Blocks are whole granules, so neither their size nor the number of workers changes anything that is computed.
"""

from serving.bulk.run import Options, Scored, score
from serving.bulk.sources import UnreadableCases

__all__ = ["Options", "Scored", "UnreadableCases", "score"]
