"""Options: settings of the process or of a block, read when an evaluation or `open` starts."""

from __future__ import annotations

import contextvars
import dataclasses
import operator
import os
import re
import weakref
from collections.abc import Callable
from functools import lru_cache
from numbers import Real
from typing import Any, TypeAlias

from biggus.errors import OptionError
from biggus.support.forks import new_lock
from biggus.support.similar import did_you_mean

Progress: TypeAlias = Callable[[int, int], object]
"""A progress callback: called with the bytes read so far and the total number of bytes."""

MOST_WORKERS = 256
"""The most threads: more would not make any computation faster."""

MOST_RETRIES = 1000
"""The greatest value of ``retry_changed``."""

_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Options:
    """The options, as :func:`set_options` sets them.

    Attributes
    ----------
    cache : Cache, bool or None
        The cache for sources that are opened.  None: remote sources are cached in the default
        cache, local ones not at all.  True: all sources are cached in the default cache.
        False: none are cached.
    offline : bool
        Whether servers must not be asked: only what is cached can be read.
    memory : int
        The most bytes that a computation may use, apart from its results.  It is also the
        most bytes that an implicit conversion such as ``np.asarray`` may read.
    chunk_memory : int
        The bytes of decoded chunks, of all sources together, that stay in memory to be read
        again.  During a computation they count as part of `memory`.  0 keeps none.
    workers : int
        The number of threads that compute; by default one per core.  For another executor,
        the number of tasks submitted at once.
    executor : Executor or None
        The executor that runs the tasks of a computation: any object with the interface of
        `concurrent.futures.Executor`.  By default tasks run on threads of this process.
    keep_partials : bool
        Whether to keep partial results of reductions in the cache, if there is one.
    retry_changed : int
        How often to start an evaluation again if a file changes while it is being read.
    deadline : float or None
        The seconds that an evaluation may take; None for no limit.
    progress : bool or callable
        Whether to show a progress bar on the terminal while reading; or a callback, called
        with the bytes read so far and the total number of bytes.
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
    """Parse a number of bytes: a number, or a string such as ``"20 GB"``.

    Units are decimal (kB, MB, GB, TB) or binary (KiB, MiB, GiB, TiB).

    Raises
    ------
    OptionError
        If `size` is not a size, or not positive.

    Examples
    --------
    >>> parse_size("1.5 GB"), parse_size("2 KiB"), parse_size(10)
    (1500000000, 2048, 10)
    """
    nbytes: Any = size
    if isinstance(size, str):
        match = _SIZE.fullmatch(size)
        if not match:
            raise OptionError(f"{size!r} is not a size; write it as 500 MB or 2 GiB")
        number, unit, binary = match.groups()
        nbytes = float(number) * (1024 if binary else 1000) ** _UNITS[unit.lower()]
    if not _is_number(nbytes) or not 1 <= nbytes < 2**63:
        raise OptionError(f"a size is a positive number of bytes, not {size!r}")
    return int(nbytes)


def format_bytes(nbytes: int) -> str:
    """Format a number of bytes with a decimal unit, as `parse_size` reads it.

    Examples
    --------
    >>> format_bytes(131072 * 131072 * 3), format_bytes(parse_size("20 GB"))
    ('51.54 GB', '20 GB')
    """
    amount = float(nbytes)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if amount < 1000 or unit == "PB":
            break
        amount /= 1000
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
    """Return the parser of an option that is a whole number from `least` to `most`."""

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
    """Return the number of cores that this process may use."""
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


def in_environment(name: str) -> bool:
    """Tell whether a variable of the environment, such as ``BIGGUS_MEMORY``, sets an option."""
    return name in _PARSERS and name not in ("cache", "executor")


@lru_cache(maxsize=1)
def _from_environment() -> Options:
    values = {}
    for name, parse in _PARSERS.items():
        text = os.environ.get(f"BIGGUS_{name.upper()}")
        if text is not None and in_environment(name):
            try:
                values[name] = parse(text)
            except OptionError as error:
                raise OptionError(f"BIGGUS_{name.upper()}: {error}") from None
    return Options(**values)


_current: contextvars.ContextVar[Options | None] = contextvars.ContextVar(
    "biggus_options", default=None
)


def current() -> Options:
    """Return the options in force: of the innermost ``with`` block, else of the process."""
    return _current.get() or _process.options or _from_environment()


class _Process:
    """The options of the process, as set by calls of `set_options`.

    A call cannot know whether a ``with`` block follows, which would undo it.  So the changes
    of each call are kept apart while its object exists: threads that enter blocks at the same
    time undo their own changes alone.
    """

    def __init__(self) -> None:
        self.options: Options | None = None
        self._lock = new_lock()
        self._calls: list[tuple[weakref.ref[set_options] | None, dict[str, Any]]] = []

    def add(self, call: set_options, changes: dict[str, Any]) -> None:
        with self._lock:
            self._calls.append((weakref.ref(call), changes))
            self._settle()

    def take_back(self, call: set_options) -> None:
        """Undo a call, unless it has been undone before."""
        with self._lock:
            self._calls = [each for each in self._calls if not each[0] or each[0]() is not call]
            self._settle()

    def _settle(self) -> None:
        settled: list[tuple[weakref.ref[set_options] | None, dict[str, Any]]] = []
        for reference, changes in self._calls:
            final = reference is None or reference() is None
            if final and settled and settled[-1][0] is None:
                settled[-1] = (None, settled[-1][1] | changes)
            else:
                settled.append((None if final else reference, changes))
        self._calls = settled
        together: dict[str, Any] = {}
        for _, changes in settled:
            together |= changes
        self.options = dataclasses.replace(_from_environment(), **together) if together else None


class set_options:  # noqa: N801 - used as a function and as a context manager
    """Set options permanently, or within a ``with`` block.

    A call changes the options of the process, or, within a ``with`` block of `set_options`,
    those of the block.  As a context manager, it changes the options of its block, for the
    current thread or asyncio task only.

    Parameters
    ----------
    **options
        The fields of `Options`: ``cache``, ``offline``, ``memory``, ``chunk_memory``,
        ``workers``, ``executor``, ``keep_partials``, ``retry_changed``, ``deadline``, ``progress``.

    Raises
    ------
    OptionError
        If an option is unknown, or a value is invalid.

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
                hint = did_you_mean(name, known)
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
        # The call was meant for this block alone.
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
    """Work offline within a ``with`` block: read from the cache, and ask no server.

    Reading values that are not cached raises an `OfflineError` at once.  This is short for
    ``set_options(offline=True)``; ``BIGGUS_OFFLINE=1`` sets it for a whole program.

    Returns
    -------
    set_options
        The context manager.  Without a ``with`` block, the option stays set.

    Examples
    --------
    >>> import biggus
    >>> with biggus.offline():
    ...     biggus.options.current().offline
    True
    """
    return set_options(offline=True)


_process = _Process()
