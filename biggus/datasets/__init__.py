"""Datasets: the variables of a group of a store, with their coordinates."""

from biggus.datasets.agreeing import disagreements
from biggus.datasets.dataset import Dataset, open_dataset
from biggus.datasets.facts import info, variables
from biggus.datasets.group import Group, Opening, groups_at, names_of
from biggus.datasets.joining import joined_groups
from biggus.datasets.recording import record_at, records_at

__all__ = [
    "Dataset",
    "Group",
    "Opening",
    "disagreements",
    "groups_at",
    "info",
    "joined_groups",
    "names_of",
    "open_dataset",
    "record_at",
    "records_at",
    "variables",
]
