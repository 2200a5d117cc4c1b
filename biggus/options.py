"""Options: settings of this context, read when an evaluation or an `open` starts."""

from __future__ import annotations

import contextvars
import dataclasses
import operator
import os
import re
import threading
import weakref
from collections.abc import Callable
from functools import lru_cache
from numbers import Real
from typing import Any, TypeAlias

from biggus.errors import OptionError
from biggus.support.forks import between_forks

Progress: TypeAlias = Callable[[int, int], object]
"""Called with the bytes that are done and the bytes in all."""

MOST_WORKERS = 256
"""More threads than these would not compute anything sooner."""

MOST_RETRIES = 1000
"""Whatever changes so often is not to be read while it does."""

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Options:
    """What :func:`set_options` sets.

    Attributes
    ----------
    cache : Cache, bool or None
        Where what is opened is cached.  None: remote sources in the default
        cache, local ones not at all.  A `Cache`: everything that is opened.
        True: everything, in the default cache.  False: nothing.
    offline : bool
        Whether remote sources must not be asked: what is cached is all there is.
    memory : int
        The bytes that computing takes at most, results aside; and that an array
        may have which is read unasked, by ``np.asarray`` and its like.
    chunk_memory : int
        The bytes of decoded chunks that stay in memory, of all sources together, for what
        is read again; while something is computed they count among `memory`.  0: none stay.
    workers : int
        How many threads compute; by default one a core.  Of another executor,
        how many tasks it is given at once.
    executor : Executor or None
        What runs the tasks of a computation; by default threads of this
        process.  Anything with the interface of `concurrent.futures.Executor`.
    keep_partials : bool
        Whether the partial results of reductions are kept in the cache, where
        there is one.
    retry_changed : int
        How often an evaluation is begun again if a file that it reads changed meanwhile.
    deadline : float or None
        The seconds that an evaluation may take; None: as many as it needs.
    progress : bool or callable
        Whether reading shows a progress bar on the terminal; or what to call
        with the bytes done and the bytes in all.
    """

    cache: Any = None
    offline: bool = False
    memory: int = 10**9
    chunk_memory: int = 256 * 10**6
    workers: int = dataclasses.field(default_factory=lambda: min(_cores(), MOST_WORKERS))
    executor: Any = None
    keep_partials: bool = True
    retry_changed: int = 0
    deadline: float | None = None
    progress: bool | Progress = False


def parse_size(size: float | str) -> int:
    """Return a number of bytes from a number, or a string such as ``"20 GB"``.

    Units are decimal (kB, MB, GB, TB) or binary (KiB, MiB, GiB, TiB).

    Raises
    ------
    OptionError
        If it is no size, or not positive.

    Examples
    --------
    >>> parse_size("1.5 GB"), parse_size("2 KiB"), parse_size(10)
    (1500000000, 2048, 10)
    """
    nbytes: Any = size
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        if not match:
            raise OptionError(f"{size!r} is no size; write it as 500 MB or 2 GiB")
        number, unit, binary = match.groups()
        nbytes = float(number) * (1024 if binary else 1000) ** _UNITS[unit.lower()]
    if not _is_number(nbytes) or not 1 <= nbytes < 2**63:
        raise OptionError(f"a size is a positive number of bytes, not {size!r}")
    return int(nbytes)


def format_bytes(nbytes: int) -> str:
    """Format a number of bytes with a binary unit.

    Examples
    --------
    >>> format_bytes(131072 * 131072 * 3)
    '48 GiB'
    """
    amount = float(nbytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if amount < 1024 or unit == "PiB":
            break
        amount /= 1024
    return f"{amount:.4g} {unit}"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _parse_bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off", ""}:
        return False
    raise OptionError(f"{value!r} is neither true nor false")


def _parse_cache(value: Any) -> Any:
    if value is None or isinstance(value, bool) or hasattr(value, "wrap"):
        return value
    raise OptionError(f"cache is a Cache, True, False or None, not {value!r}")


def _parse_count(name: str, least: int, most: int) -> Callable[[Any], int]:
    """Return what parses the option `name`, a whole number from `least` to `most`."""

    def parse(value: Any) -> int:
        try:
            count = int(value) if isinstance(value, str) else operator.index(value)
        except (TypeError, ValueError):
            count = least - 1
        if isinstance(value, bool) or not least <= count <= most:
            raise OptionError(f"{name} is a number from {least} to {most}, not {value!r}")
        return count

    return parse


def _parse_executor(value: Any) -> Any:
    if value is None or callable(getattr(value, "submit", None)):
        return value
    raise OptionError(f"executor has the interface of concurrent.futures.Executor: not {value!r}")


def _parse_deadline(value: Any) -> float | None:
    if value is None:
        return None
    try:
        seconds = float(value) if isinstance(value, str) or _is_number(value) else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise OptionError(f"deadline is a number of seconds, more than 0, or None, not {value!r}")
    return seconds


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _parse_room(value: Any) -> int:
    nothing = not isinstance(value, bool) and str(value).strip() in {"0", "0.0"}
    return 0 if nothing else parse_size(value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "cache": _parse_cache,
    "offline": _parse_bool,
    "memory": parse_size,
    "chunk_memory": _parse_room,
    "workers": _parse_count("workers", 1, MOST_WORKERS),
    "executor": _parse_executor,
    "keep_partials": _parse_bool,
    "retry_changed": _parse_count("retry_changed", 0, MOST_RETRIES),
    "deadline": _parse_deadline,
    "progress": lambda value: value if callable(value) else _parse_bool(value),
}


_IN_ENVIRONMENT = (
    "offline",
    "memory",
    "chunk_memory",
    "workers",
    "keep_partials",
    "retry_changed",
    "deadline",
    "progress",
)


@lru_cache(maxsize=1)
def _from_environment() -> Options:
    given = {}
    for name in _IN_ENVIRONMENT:
        text = os.environ.get(f"BIGGUS_{name.upper()}")
        if text is not None:
            try:
                given[name] = _PARSERS[name](text)
            except OptionError as error:
                raise OptionError(f"BIGGUS_{name.upper()}: {error}") from None
    return Options(**given)


_current: contextvars.ContextVar[Options | None] = contextvars.ContextVar(
    "biggus_options", default=None
)


def current() -> Options:
    """Return the options that are in force here."""
    return _current.get() or _process.options or _from_environment()


class _Process:
    """The options of the process: what plain calls have set, in their order.

    A call cannot know whether a ``with`` block follows, which takes its
    changes back.  So those of each call are kept apart for as long as the
    object that was made is there: threads that enter blocks at the same time
    take back their own changes, and no others.
    """

    def __init__(self) -> None:
        self.options: Options | None = None
        self._lock = threading.Lock()
        self._calls: list[tuple[weakref.ref[set_options] | None, dict[str, Any]]] = []

    def add(self, call: set_options, changes: dict[str, Any]) -> None:
        with self._lock:
            self._calls.append((weakref.ref(call), changes))
            self._settle()

    def take_back(self, call: set_options) -> None:
        """Undo a call, if it has not been undone."""
        with self._lock:
            self._calls = [kept for kept in self._calls if not kept[0] or kept[0]() is not call]
            self._settle()

    def _settle(self) -> None:
        settled: list[tuple[weakref.ref[set_options] | None, dict[str, Any]]] = []
        for made, changes in self._calls:
            final = made is None or made() is None
            if final and settled and settled[-1][0] is None:
                settled[-1] = (None, settled[-1][1] | changes)
            else:
                settled.append((None if final else made, changes))
        self._calls = settled
        together: dict[str, Any] = {}
        for _, changes in settled:
            together |= changes
        self.options = dataclasses.replace(_from_environment(), **together) if together else None


class set_options:  # noqa: N801 - used as a function and as a context manager
    """Set options for good, or for the length of a ``with`` block.

    Called plainly, it changes the options of the process (inside a ``with``
    block of `set_options`, of that block).  As a context manager it changes
    those of the block, in this thread or asyncio task alone.

    Parameters
    ----------
    **options
        The fields of `Options`: ``cache``, ``offline``, ``memory``, ``chunk_memory``,
        ``workers``, ``executor``, ``keep_partials``, ``retry_changed``, ``deadline``, ``progress``.

    Raises
    ------
    OptionError
        If an option is unknown, or a value is not one that it can have.

    Examples
    --------
    >>> import biggus
    >>> with biggus.set_options(memory="200 MB"):
    ...     biggus.options.current().memory
    200000000
    """

    def __init__(self, **options: Any) -> None:
        known = [field.name for field in dataclasses.fields(Options)]
        for name in options:
            if name not in known:
                with between_forks():
                    import difflib
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise OptionError(
                    f"there is no option {name!r}{hint} (options: {', '.join(known)})"
                )
        self._changes = {name: _PARSERS[name](value) for name, value in options.items()}
        self._block = _current.get()
        if self._block is None:
            _process.add(self, self._changes)
        else:
            self._set = dataclasses.replace(self._block, **self._changes)
            _current.set(self._set)
        self._outside: list[Options | None] = []

    def __enter__(self) -> Options:
        # What the call has set was meant for this block alone.
        if self._block is None:
            _process.take_back(self)
        elif _current.get() is self._set:
            _current.set(self._block)
        self._outside.append(_current.get())
        inside = dataclasses.replace(current(), **self._changes)
        _current.set(inside)
        return inside

    def __exit__(self, *exc_info: object) -> None:
        _current.set(self._outside.pop())


def offline() -> set_options:
    """Ask no server, for the length of a ``with`` block: what is cached is all there is.

    What is not in the cache is an `OfflineError`, and nothing is waited for.  The same as
    ``set_options(offline=True)``, and for a whole program as ``BIGGUS_OFFLINE=1``.

    Returns
    -------
    set_options
        To be entered; called plainly, it holds from then on.

    Examples
    --------
    >>> import biggus
    >>> with biggus.offline():
    ...     biggus.options.current().offline
    True
    """
    return set_options(offline=True)


_process = _Process()
