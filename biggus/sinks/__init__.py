"""Sinks: where results go, block by block, and none of them whole in memory.

A sink is an object that is assigned to, or a new store, which is there when
it is complete and not before.
"""

from biggus.sinks.saving import save

__all__ = ["save"]
