"""Sinks: where results go, block by block, and none of them whole in memory.

A sink is an object that is assigned to, or a new store, which is there when
it is complete and not before.

What saves is imported when something is saved for the first time.
"""

from typing import TYPE_CHECKING

from biggus.support.lazy_imports import later

if TYPE_CHECKING:
    from biggus.sinks.planning import plan_save
    from biggus.sinks.saving import save

__all__ = ["plan_save", "save"]

__getattr__ = later(__name__, {"plan_save": ".planning", "save": ".saving"})
