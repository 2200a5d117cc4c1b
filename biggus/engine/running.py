"""Running the tasks of a shared scan, on the threads of this process or on any executor.

A bounded number of tasks is under way, and none of them far ahead of the oldest unfinished one,
behind which results pile up.  The first failure ends the scan.
"""

from __future__ import annotations

import itertools
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from typing import TYPE_CHECKING, Any

from biggus import options
from biggus.engine.computing import Computed, compute
from biggus.engine.concurrent_reads import computing
from biggus.engine.repeated import Repeated
from biggus.planning.pruning import pruned
from biggus.sources.chunk_memory import chunk_memory
from biggus.support import deadlines, watching
from biggus.support.single_flight import Reader
from biggus.support.threads import WAKING_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from biggus.planning.shared_scans import SharedScan
    from biggus.planning.tasks import Task

    _Take = Callable[[Task, Sequence[Computed]], None]
    _Returned = tuple[list[Computed], str, watching.Seen]

WAITING_TASKS = 16
"""The least number of tasks under way in this process, if their reads wait."""


def run(scan: SharedScan, tasks: Iterator[Task], take: _Take) -> None:
    """Compute the tasks of a shared scan.

    Parameters
    ----------
    scan : SharedScan
    tasks : iterator of Task
    take : callable
        Called with a task and its results, in any order and from any thread.

    Raises
    ------
    MemoryBudgetError
        If not even one task fits into memory; nothing has been read then.
    """
    executor = options.current().executor
    most = most_at_once(scan)
    if executor is not None:
        _Sent(scan, executor, most, take).run(tasks)
        return
    with chunk_memory.allowing(scan.room(most)):
        # A thread of the pool must not wait for the pool.
        _Shared(scan, 1 if computing.inside else most, take).run(tasks)


def most_at_once(scan: SharedScan) -> int:
    """Return how many tasks of a shared scan are computed at once.

    Raises
    ------
    MemoryBudgetError
        If not even one fits into memory.
    """
    current = options.current()
    workers = current.workers
    if current.executor is None and scan.io_bound:
        workers = max(workers, WAITING_TASKS)
    if current.executor is not None:
        workers *= 2  # for each worker one task is computed, and one is being sent
    return scan.at_once(workers)


class _Shared:
    """Computes tasks on threads of this process, one of which is the caller's."""

    def __init__(self, scan: SharedScan, most: int, take: _Take) -> None:
        self._most = most
        self._ahead = scan.ahead(most)
        self._take = take
        self._repeated = Repeated(scan.repeated) if scan.repeated else None
        self._drawing = threading.Lock()
        self._changed = threading.Condition()
        self._under_way: set[int] = set()
        self._failed = False

    def run(self, tasks: Iterator[Task]) -> None:
        """Compute all tasks; in the caller's thread, if there is only one."""
        self._tasks = tasks
        helpers: list[Future[None]] = []
        reader = Reader()
        try:
            first = [*self._first(tasks), *itertools.islice(tasks, 1)]
            self._tasks = itertools.chain(first, tasks)
            for _ in range(self._most - 1 if len(first) > 1 else 0):
                # The threads have the options of the caller.
                context = reader.context()
                helpers.append(computing.submit(context.run, self._work))
            self._work()
            while helpers:
                _join(helpers.pop())
        except BaseException:
            self._end()
            reader.abandon()
            while helpers:
                helpers.pop().cancel()
            raise

    def _first(self, tasks: Iterator[Task]) -> list[Task]:
        """Return the first task that is not idle, if there is one; take those before it."""
        for task in tasks:
            if not task.idle:
                return [task]
            self._take(task, ())
        return []

    def _work(self) -> None:
        """Compute tasks until there are none, or something has failed."""
        try:
            while (task := self._next()) is not None:
                deadlines.check()
                self._compute(task)
                with self._changed:
                    self._under_way.discard(task.number)
                    self._changed.notify_all()
        except BaseException:
            self._end()
            raise

    def _next(self) -> Task | None:
        with self._drawing:
            for task in self._tasks:
                idle = task.idle
                if not self._near(task, idle):
                    return None
                if not idle:
                    return task
                self._take(task, ())
            return None

    def _near(self, task: Task, idle: bool) -> bool:
        """Wait until a task is not too far ahead; return whether no other has failed by then."""
        if idle and not self._under_way:
            return not self._failed
        with self._changed:
            while self._under_way and task.number - min(self._under_way) > self._ahead:
                self._changed.wait(WAKING_SECONDS)
                if self._failed:
                    return False
            if self._failed:
                return False
            if not idle:
                self._under_way.add(task.number)
            return True

    def _compute(self, task: Task) -> None:
        # A function of its own: the results are released before the next task is computed.
        computed = compute(task, self._repeated)
        if not self._failed:
            self._take(task, computed)

    def _end(self) -> None:
        with self._changed:
            self._failed = True
            self._changed.notify_all()


def _join(helper: Future[None]) -> None:
    """Wait for a helping thread, and raise its error."""
    try:
        # A helper that has not begun has nothing left to do.
        while not helper.cancel() and not helper.done():
            deadlines.check()
            wait([helper], WAKING_SECONDS)
        if not helper.cancelled():
            helper.result()
    except BaseException:
        helper.cancel()
        raise
    finally:
        del helper  # an error holds this frame, and would hold itself


class _Sent:
    """Sends tasks to an executor of the user, a few at a time."""

    def __init__(self, scan: SharedScan, executor: Executor, most: int, take: _Take) -> None:
        self._executor = executor
        self._most = most
        self._ahead = scan.ahead(most)
        self._take = take
        self._shipped = _shipped_options()

    def run(self, tasks: Iterator[Task]) -> None:
        watching.evaluated(partial(self._run, tasks))

    def _run(self, tasks: Iterator[Task]) -> None:
        under_way: dict[Future[_Returned], Task] = {}
        try:
            for task in tasks:
                while len(under_way) >= self._most or self._is_far(task, under_way):
                    self._settle(under_way)
                if task.idle:
                    self._take(task, ())
                    continue
                future = self._executor.submit(compute_elsewhere, pruned(task), self._shipped)
                under_way[future] = task
                del future  # an error holds this frame, and would hold itself
            while under_way:
                self._settle(under_way)
        except BaseException:
            for future in under_way:
                future.cancel()
            raise

    def _is_far(self, task: Task, under_way: dict[Future[_Returned], Task]) -> bool:
        """Return whether a task is too far ahead of the oldest unfinished one."""
        first = min((each.number for each in under_way.values()), default=task.number)
        return task.number - first > self._ahead

    def _settle(self, under_way: dict[Future[_Returned], Task]) -> None:
        done: set[Future[_Returned]] = set()
        while not done:
            deadlines.check()
            done = _first_done(list(under_way))
        while done:
            task, (computed, machine, seen) = _taken(done.pop(), under_way)
            watching.current().join_of(machine, seen)
            self._take(task, computed)


def _taken(
    future: Future[_Returned], under_way: dict[Future[_Returned], Task]
) -> tuple[Task, _Returned]:
    try:
        return under_way.pop(future), future.result()
    finally:
        del future  # an error holds this frame, and would hold itself


def _first_done(futures: list[Future[Any]]) -> set[Future[Any]]:
    """Wait a while for futures, those of other libraries included; return those that are done."""
    try:
        done, _ = wait(futures, WAKING_SECONDS, return_when=FIRST_COMPLETED)
    except AttributeError:  # of another library, which has only the public methods
        done = {future for future in futures if future.done()}
        if not done:
            threading.Event().wait(0.001)
    return done


def _shipped_options() -> dict[str, Any]:
    """Return the options for reading that are sent along with a task."""
    current = options.current()
    shipped = {
        "memory": current.memory,
        "chunk_memory": current.chunk_memory,
        "offline": current.offline,
    }
    seconds = deadlines.left()
    return {**shipped, "deadline": None if seconds is None else max(seconds, 1e-3)}


def start_workers() -> None:
    """Start the processes of the executor, before files are opened for writing.

    A forked process would keep such a file locked for as long as it lives.
    """
    executor = options.current().executor
    processes = sys.modules.get("concurrent.futures.process")  # slow to import
    if processes is not None and isinstance(executor, processes.ProcessPoolExecutor):
        executor.submit(int)


def compute_elsewhere(task: Task, shipped: dict[str, Any]) -> _Returned:
    """Compute a task that was sent to this process, with the options that were sent along.

    Returns
    -------
    list of Computed
    str
        The machine on which it was computed.
    dict
        The states of the files that were read.
    """
    with options.set_options(executor=None, progress=False, **shipped), deadlines.evaluation():
        return watching.evaluated(partial(_computed_and_seen, task))


def _computed_and_seen(task: Task) -> _Returned:
    return compute(task), watching.this_machine(), watching.current().seen
