"""Datasets: the variables of a group of a store, with their coordinates."""

from biggus.datasets.agreeing import CoordinateDifference, first_difference
from biggus.datasets.dataset import Dataset, open_dataset
from biggus.datasets.facts import info, variables
from biggus.datasets.group import Group, Opening, groups_at, names_of
from biggus.datasets.joining import joined_groups
from biggus.datasets.recording import record_at, records_at

__all__ = [
    "CoordinateDifference",
    "Dataset",
    "Group",
    "Opening",
    "first_difference",
    "groups_at",
    "info",
    "joined_groups",
    "names_of",
    "open_dataset",
    "record_at",
    "records_at",
    "variables",
]
