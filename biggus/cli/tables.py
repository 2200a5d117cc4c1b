"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], indent: str = "", right: Sequence[int] = ()) -> str:
    """Return rows as lines, their columns aligned.

    Parameters
    ----------
    rows : sequence of sequence of str
        The cells.  The last cell of a row with fewer cells than others does not count
        for the width of its column.
    indent : str
        The start of each line.
    right : sequence of int
        The columns that are right-aligned.

    Examples
    --------
    >>> print(table([("a", "1"), ("bcd", "23")], right=[1]))
    a     1
    bcd  23
    """
    columns = max(map(len, rows), default=0)
    widths = [0] * columns
    for row in rows:
        for column, cell in enumerate(row):
            if len(row) == columns or column < len(row) - 1:
                widths[column] = max(widths[column], len(cell))
    lines = []
    for row in rows:
        cells = [
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return "\n".join(lines)
