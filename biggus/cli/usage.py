"""How a command refuses its arguments."""


class UsageError(Exception):
    """The arguments make no sense together."""
