"""A process that loads the log until it is killed: ``python -m tests.audit_load FOLDER URL THREADS [COUNT]``.

Every acknowledged id is written to standard output by one call, so that a reader sees it whole or not at all.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from serving.audit.refusals import AuditUnavailable
from tests.audit_log import entry, open_log


def main() -> None:
    """Record predictions from several threads; with a count, stop after so many per thread."""
    folder, url, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else None
    auditor = open_log(folder, url)

    def load() -> None:
        done = 0
        while count is None or done < count:
            one = entry(patient_id=f"p-{os.getpid()}")
            try:
                auditor.record_prediction(one)
            except AuditUnavailable:
                continue
            os.write(1, (one.answer["prediction_id"] + "\n").encode())
            done += 1

    workers = [threading.Thread(target=load) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    auditor.close()


if __name__ == "__main__":
    main()
