"""What all commands share: --verbose, the error for unusable arguments, and exit codes."""

import argparse

BY_SIGNAL = 128
"""Added to the number of the signal that ended a process for its exit code, as shells do."""


class UsageError(Exception):
    """Arguments are invalid, or do not fit together."""


def common_options() -> argparse.ArgumentParser:
    """Return a parser of the options of every command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="log what is fetched and why (-vv: log everything)",
    )
    return common
