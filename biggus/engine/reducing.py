"""`reduced`: expressions whose reductions are computed first, because parts are read many times."""

from biggus.adapt import node_of
from biggus.engine.evaluation import evaluate_all
from biggus.graph import Node
from biggus.planning.rewriting import pushdown, reductions_of, substituted


def reduced(node: Node) -> Node:
    """Return a node in which all reductions are replaced by their values.

    Reductions that need the same values are computed together, in memory.
    """
    node = pushdown(node)
    while node.needs_reduction:
        reductions = reductions_of(node)
        values = [node_of(each) for each in evaluate_all(reductions)]
        node = substituted(
            node, {id(one): each for one, each in zip(reductions, values, strict=True)}
        )
    return node
