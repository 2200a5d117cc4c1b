"""Joining the validators of several chunks to one."""

from __future__ import annotations

from collections.abc import Sequence

_MARK = b"biggus chunks\0"
_LENGTH_BYTES = 4


def join_validators(validators: Sequence[bytes | None]) -> bytes | None:
    """Return the validator of a box from the validators of its chunks, in the order of the grid.

    If all chunks have one validator, such as the validator of a file, the box has it, too.  The
    result is None if the validator of any chunk is unknown.

    Examples
    --------
    >>> join_validators([b"a", b"a"]), join_validators([b"a", None])
    (b'a', None)
    >>> split_validators(join_validators([b"a", b"b"]), 2)
    [b'a', b'b']
    """
    known = [validator for validator in validators if validator is not None]
    if not known or len(known) < len(validators):
        return None
    first = known[0]
    if len(known) == 1:
        return first
    # A validator that was joined is joined again: `split_validators` must give it back whole.
    if known.count(first) == len(known) and not first.startswith(_MARK):
        return first
    return _MARK + b"".join(len(v).to_bytes(_LENGTH_BYTES, "big") + v for v in known)


def split_validators(validator: bytes, count: int) -> list[bytes] | None:
    """Return the validators of `count` chunks; None if `validator` joins another number.

    Examples
    --------
    >>> split_validators(b"a", 3)
    [b'a', b'a', b'a']
    >>> split_validators(join_validators([b"a", b"b"]), 3) is None
    True
    """
    if count == 1:
        return [validator]
    if not validator.startswith(_MARK):
        return [validator] * count
    validators = []
    at = len(_MARK)
    while at < len(validator):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(validator[at:start], "big")
        validators.append(validator[start:at])
    return validators if len(validators) == count and at == len(validator) else None
