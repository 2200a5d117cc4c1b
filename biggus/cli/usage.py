"""What all commands share: the option --verbose and the error for unusable arguments."""

import argparse


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
