"""Does the bench's work with another queue, in another interpreter; prints tickets a second.

    python -m venv other && other/bin/pip install huey dbos
    other/bin/python tests/bench/queues_beside.py huey 2000

Both are taken with their own SQLite storage, a sync at each commit, and one worker.
"""

import logging
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter


def with_huey(folder: str, count: int) -> float:
    """Enqueue, then dequeue and run each; huey forgets a task as soon as it is taken."""
    from huey import SqliteHuey  # noqa: PLC0415 - only one of the two need be installed

    queue = SqliteHuey(filename=str(Path(folder, "huey.db")), fsync=True)
    seen: list[int] = []

    @queue.task()
    def work(ticket: int) -> None:
        seen.append(ticket)

    for ticket in range(count):
        work(ticket)
    began = perf_counter()
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
    seconds = perf_counter() - began
    assert len(seen) == count, len(seen)
    return count / seconds


def with_dbos(folder: str, count: int) -> float:
    """Enqueue, then let its queue's worker run each as a workflow of one step."""
    from dbos import DBOS  # noqa: PLC0415 - as above

    file = Path(folder, "dbos.db")
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR"})
    seen: list[int] = []

    @DBOS.step()
    def effect(ticket: int) -> None:
        seen.append(ticket)

    @DBOS.workflow()
    def work(ticket: int) -> None:
        effect(ticket)

    DBOS.launch()
    DBOS.register_queue("bench", worker_concurrency=32, polling_interval_sec=0.01)
    began = perf_counter()
    handles = [DBOS.enqueue_workflow("bench", work, ticket) for ticket in range(count)]
    for handle in handles:
        handle.get_result()
    seconds = perf_counter() - began
    assert len(seen) == count, len(seen)
    DBOS.destroy()
    return count / seconds


QUEUES: Mapping[str, Callable[[str, int], float]] = {"huey": with_huey, "dbos": with_dbos}


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as place:
        print(QUEUES[sys.argv[1]](place, int(sys.argv[2])))
