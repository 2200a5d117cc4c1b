"""A separate process for each peer, so that its memory can be measured.

``python -m benchmarks.worker PEER PATH`` computes the statistics that each line of its input
names, and answers with a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class Answer(NamedTuple):
    """The time, peak memory and values of a computation."""

    seconds: float
    peak: int
    """The peak memory of the process so far, in bytes."""

    values: list[float]


class Worker:
    """A process that computes statistics of one store by one peer."""

    def __init__(self, peer: str, path: Path) -> None:
        self.peer = peer
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def ask(self, names: Sequence[str]) -> Answer:
        """Compute the named statistics; return the time, peak memory and values."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(names) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer} failed, see above")
        return Answer(**json.loads(line))


def peak_bytes() -> int:
    """Return the peak memory of this process so far, in bytes."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
            1 if sys.platform == "darwin" else 1024
        )
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def main() -> None:
    """Answer each line of the input."""
    from benchmarks.peers import PEERS

    peer, path = sys.argv[1:]
    for line in sys.stdin:
        started = time.perf_counter()
        values = PEERS[peer](Path(path), line.split())
        answer = Answer(time.perf_counter() - started, peak_bytes(), values)
        print(json.dumps(answer._asdict()), flush=True)


if __name__ == "__main__":
    main()
