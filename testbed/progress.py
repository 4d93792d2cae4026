"""Progress lines on standard error, so that standard output stays free for results."""

from __future__ import annotations

import sys
import time


class Progress:
    """Numbered steps with the time each one took.

    >>> progress = Progress(steps=2)
    >>> progress.step("network")
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._number = 0
        self._begin = self._step_begin = time.monotonic()

    def step(self, name: str, estimate: str = "") -> None:
        """Begin the next step; ``estimate`` says how long it is expected to take."""
        self._number += 1
        self._step_begin = time.monotonic()
        suffix = f" ({estimate})" if estimate else ""
        self.line(f"[{self._number}/{self._steps}] {name}{suffix}")

    def note(self, text: str) -> None:
        """Say something about the present step."""
        self.line(f"      {text} ({time.monotonic() - self._step_begin:.0f} s)")

    def line(self, text: str) -> None:
        """Print one line at once."""
        print(text, file=sys.stderr, flush=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._begin


def remaining(done: int, total: int, elapsed: float) -> str:
    """Words for the time left when ``done`` of ``total`` equal parts took ``elapsed`` seconds."""
    if done <= 0 or elapsed <= 0:
        return "no estimate yet"
    left = max(0.0, elapsed * (total - done) / done)
    return f"about {left / 60:.0f} min left" if left >= 90 else f"about {left:.0f} s left"
