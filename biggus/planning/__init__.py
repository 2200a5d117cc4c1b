"""Planning: from nodes to passes over the data, and to independent tasks.

The expressions and the grids of their sources alone decide the reduction blocks and the order
in which these are merged.  The memory option decides which reduction blocks are computed together.
"""
