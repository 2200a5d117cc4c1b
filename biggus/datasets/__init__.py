"""Datasets: variables of a store that belong together, with their coordinates."""

from biggus.datasets.group import Group, Opening, groups_at

__all__ = ["Group", "Opening", "groups_at"]
