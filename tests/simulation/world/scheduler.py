"""Virtual time. Everything that acts in the simulation is a task; a task runs until it waits, then time moves on.

There is one thread and no real waiting: the order of events depends on nothing but the seed.
"""

from __future__ import annotations

import heapq
import typing as t

import greenlet


class Killed(BaseException):
    """The process died here. Not an Exception, so that no handler of the code under test can catch it."""


class Process:
    """Something that can die or stand still as a whole: an operator's process or a container."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.scheduler = scheduler
        self.name = name
        self.alive = True
        self.frozen = False
        self.deferred: list[tuple[Task, int]] = []

    def spawn(self, run: t.Callable[[], t.Any], name: str = "") -> Task:
        """Start a task of this process now."""
        return self.scheduler.spawn(run, self, name or self.name)

    def kill(self) -> None:
        """The process ends between two of its instructions; nothing of it runs any more, not even a finally clause."""
        self.alive = False
        self.deferred.clear()

    def freeze(self) -> None:
        """The process stands still: what should happen to it is kept until it thaws."""
        self.frozen = True

    def thaw(self) -> None:
        """Go on where it stood."""
        self.frozen = False
        for task, token in self.deferred:
            self.scheduler.after(0.0, task, token)
        self.deferred.clear()


class Signal:
    """Something tasks wait for."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: list[tuple[Task, int]] = []

    def fire(self) -> None:
        """Wake every task that waits."""
        waiting, self._waiting = self._waiting, []
        for task, token in waiting:
            if task.token == token:
                task.woken = True
                self._scheduler.after(0.0, task, token)

    def add(self, task: Task, token: int) -> None:
        self._waiting.append((task, token))


class Task:
    """One line of control. error is what ended it; ``token`` changes at every wait, so that old wake-ups are void."""

    def __init__(self, scheduler: Scheduler, run: t.Callable[[], t.Any], process: Process, name: str) -> None:
        self.scheduler = scheduler
        self.process = process
        self.name = name
        self.token = 0
        self.woken = False
        self.done = False
        self.result: t.Any = None
        self.error: BaseException | None = None
        self.on_end: t.Callable[[], None] | None = None
        self._run = run
        # Also a task that another task starts hands control back to the scheduler.
        self._green = greenlet.greenlet(self._main, scheduler.main)

    def _main(self) -> None:
        try:
            self.result = self._run()
        except greenlet.GreenletExit:
            return  # the simulation is over
        except BaseException as error:  # noqa: BLE001  handed to the thread that started it
            self.error = error
        self._end()

    def _end(self) -> None:
        self.done = True
        if self.on_end is not None:
            self.on_end()
        elif self.error is not None and not isinstance(self.error, Killed):
            raise self.error  # nobody waits for this task: a fault of the simulator itself

    def resume(self, token: int) -> None:
        """Run until the next wait, unless the wake-up is void."""
        if self.done or token != self.token:
            return
        if not self.process.alive:
            self.error = Killed(self.process.name)
            self._end()
        elif self.process.frozen:
            self.process.deferred.append((self, token))
        else:
            self.scheduler.current = self
            self._green.switch()
            self.scheduler.current = None

    def suspend(self) -> None:
        """Back to the scheduler; returns when somebody resumes this task."""
        greenlet.getcurrent().parent.switch()
        if not self.process.alive:
            raise greenlet.GreenletExit


class Scheduler:
    """The clock and the queue of what happens next. Times in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Task | None = None
        self.main = greenlet.getcurrent()
        self._stopped = False
        self._queue: list[tuple[float, int, t.Any, int]] = []
        self._serial = 0

    def after(self, delay: float, what: Task | t.Callable[[], t.Any], token: int = 0) -> None:
        """Call ``what``, or resume the task, after ``delay``."""
        self._serial += 1
        heapq.heappush(self._queue, (self.now + delay, self._serial, what, token))

    def spawn(self, run: t.Callable[[], t.Any], process: Process, name: str) -> Task:
        """A new task; it begins when the scheduler gets to it."""
        task = Task(self, run, process, name)
        self.after(0.0, task, 0)
        return task

    def sleep(self, seconds: float) -> None:
        """The current task waits."""
        task = self._mine()
        task.token += 1
        self.after(max(0.0, seconds), task, task.token)
        task.suspend()

    def wait(self, signal: Signal, timeout: float) -> bool:
        """The current task waits for the signal; False when the time was over first."""
        task = self._mine()
        task.token += 1
        task.woken = False
        signal.add(task, task.token)
        self.after(max(0.0, timeout), task, task.token)
        task.suspend()
        return task.woken

    def _mine(self) -> Task:
        assert self.current is not None, "only a task can wait"
        return self.current

    def run(self, limit: float) -> None:
        """Let things happen until the time ``limit``, or until something of it calls `stop`."""
        self._stopped = False
        while not self._stopped:
            if not self._queue or self._queue[0][0] > limit:
                self.now = max(self.now, limit)
                return
            when, _serial, what, token = heapq.heappop(self._queue)
            self.now = max(self.now, when)
            if isinstance(what, Task):
                what.resume(token)
            else:
                what()

    def stop(self) -> None:
        """Hand control back to who called `run`."""
        self._stopped = True

    def run_until(self, condition: t.Callable[[], bool], limit: float, every: float = 0.02) -> bool:
        """Let things happen until the condition, looked at ``every`` seconds, holds; False when ``limit`` came first."""
        while not condition():
            if self.now >= limit:
                return False
            self.run(min(limit, self.now + every))
        return True

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.run(self.now + seconds)

    def finish(self, tasks: t.Sequence[Task], limit: float) -> bool:
        """Let things happen until the tasks ended; False when the time ``limit`` came first."""
        for task in tasks:
            task.on_end = self.stop
        while not all(task.done for task in tasks):
            if self.now >= limit:
                return False
            self.run(limit)
        return True
