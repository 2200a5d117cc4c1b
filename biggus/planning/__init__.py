"""Planning: from nodes to passes over the data, and to independent tasks.

What is computed, and in which reduction blocks and order it is merged, follows from the
expressions and the grids of their sources alone.  Which reduction blocks are computed
together follows from the memory that there is.
"""
