"""The same work on batches of documents, by one process or several, its results in the order of the documents."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

from sixnd.runner.data.document import Document
from sixnd.runner.data.worker_process import begin, worker_context

Item = TypeVar("Item")
Result = TypeVar("Result")

_BATCH_DOCUMENTS = 512
_BATCH_CHARACTERS = 4 << 20
_AHEAD = 3  # batches handed out beyond those at work: enough to keep workers busy, few enough to bound memory


def map_in_order(act: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """``act`` of every item, in order; with several workers at most a few items each are in memory.

    ``act`` must be picklable and depend on nothing but its item: then the number of workers changes no result.
    """
    if workers <= 1:
        yield from map(act, items)
        return
    waiting: deque[Future[Result]] = deque()
    with ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=_take, initargs=(act,)) as pool:
        for item in items:
            waiting.append(pool.submit(_act, item))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_taken: list[Callable[..., Any]] = []


def _take(act: Callable[..., Any]) -> None:
    """In a worker: hold what is to be done, so that it is sent once and not with every item."""
    begin()
    _taken.append(act)


def _act(item: Any) -> Any:
    return _taken[-1](item)


def batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in lists of up to 512 that hold about 4 million characters at most (one document may hold more)."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        if batch and (len(batch) == _BATCH_DOCUMENTS or size + len(document.text) > _BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += len(document.text)
    if batch:
        yield batch
