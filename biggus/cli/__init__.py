"""The command line: ``biggus demo``, ``info``, ``get``, ``stats``, ``record`` and their like.

One command a module; `command` knows them all and turns errors into one line
and an exit code.  Nobody imports this package.
"""

from biggus.cli.command import main

__all__ = ["main"]
