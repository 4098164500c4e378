"""Hands calls to the intake in groups: whoever comes while the disk is busy goes with the next."""

from asyncio import Future, Task, create_task, get_running_loop
from collections.abc import Sequence

from anyio import CapacityLimiter, to_thread

from connector.webhook import Call, WebhookIntake

MOST_TOGETHER = 64
"""Calls in one group: a storm must not make the first wait for the last."""


class Together:
    """One group at a time, in one thread that nothing else needs."""

    def __init__(self, intake: WebhookIntake) -> None:
        self._intake = intake
        self._waiting: list[tuple[Call, Future[int]]] = []
        self._task: Task[None] | None = None
        self._thread = CapacityLimiter(1)

    async def take(self, call: Call) -> int:
        """Give the call's status once its group is on disk."""
        answer: Future[int] = get_running_loop().create_future()
        self._waiting.append((call, answer))
        if self._task is None:
            self._task = create_task(self._work())
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._one_group()
        finally:
            self._task = None
            _fail(self._waiting)  # after a defect only: the loop leaves nobody behind
            self._waiting = []

    async def _one_group(self) -> None:
        group = self._waiting[:MOST_TOGETHER]
        del self._waiting[:MOST_TOGETHER]
        try:
            calls = [call for call, _ in group]
            statuses = await to_thread.run_sync(self._intake.take, calls, limiter=self._thread)
            for (_, answer), status in zip(group, statuses, strict=True):
                if not answer.done():  # the caller may have gone
                    answer.set_result(status)
        finally:
            _fail(group)


def _fail(group: Sequence[tuple[Call, Future[int]]]) -> None:
    """Let nobody of the group wait for ever."""
    for _, answer in group:
        if not answer.done():
            answer.set_exception(RuntimeError("the call's group was not answered"))
