"""Back-propagation on a graph: numbers in, derivatives out, or a new graph of the derivatives.

Goodfellow et al. 6.5.2 to 6.5.6, algorithms 6.2, 6.5 and 6.6. The two ways to differentiate a computational graph that
the book distinguishes: *symbol-to-number* (``gradients``) walks the graph backward with the values of one point; with
*symbol-to-symbol* (``derivative_graph``) each step of that walk is itself an operation of the graph, so that the result
can be differentiated again: Hessian-vector products (6.5.10) are the gradient of a product of gradient and vector. Each
operation is visited once, however many paths lead through it: that is what makes the cost linear in the edges.

    x, y = Variable("x"), Variable("y")
    z = (x * y + x.exp()).log()
    z.value({"x": 1.0, "y": 2.0})
    gradients(z, {"x": 1.0, "y": 2.0})                   {"x": ..., "y": ...}
    derivative_graph(z)["x"]                             an expression again
"""

import math
from collections.abc import Callable, Mapping

from common.messages import UserError


class Node:
    """A number of a computational graph: an operation on other nodes, or a leaf.

    Args:
        operation: One of ``OPERATIONS``, or "variable" or "constant".
        *inputs: The nodes it is computed from.
        name: Of a variable.
        constant: Of a constant.
    """

    def __init__(self, operation: str, *inputs: "Node", name: str = "", constant: float = 0.0) -> None:
        self.operation, self.inputs, self.name, self.constant = operation, inputs, name, constant

    def __add__(self, other: "Node | float") -> "Node":
        return Node("add", self, node(other))

    def __sub__(self, other: "Node | float") -> "Node":
        return Node("add", self, Node("multiply", node(-1.0), node(other)))

    def __mul__(self, other: "Node | float") -> "Node":
        return Node("multiply", self, node(other))

    def __neg__(self) -> "Node":
        return self * -1.0

    def __truediv__(self, other: "Node | float") -> "Node":
        return Node("multiply", self, Node("reciprocal", node(other)))

    __radd__, __rmul__ = __add__, __mul__

    def exp(self) -> "Node":
        return Node("exp", self)

    def log(self) -> "Node":
        return Node("log", self)

    def tanh(self) -> "Node":
        return Node("tanh", self)

    def relu(self) -> "Node":
        return Node("relu", self)

    def value(self, point: Mapping[str, float]) -> float:
        """The number at a point, each node computed once.

        Raises:
            UserError: A variable has no value in ``point``.
        """
        return forward(self, point)[self]

    def __repr__(self) -> str:
        leaf = {"variable": self.name, "constant": f"{self.constant:g}"}
        return leaf.get(self.operation) or f"{self.operation}({', '.join(map(repr, self.inputs))})"


def Variable(name: str) -> Node:
    """A leaf whose value is given by name."""
    return Node("variable", name=name)


def node(value: "Node | float") -> Node:
    """The node itself, or a number as a constant."""
    return value if isinstance(value, Node) else Node("constant", constant=float(value))


# An operation: its value from those of its inputs, and for each input the derivative of the result with respect to it,
# as a graph of the inputs and the result (the second is what symbol-to-symbol differentiation needs).
Rule = tuple[Callable[..., float], Callable[..., tuple[Node, ...]]]
OPERATIONS: dict[str, Rule] = {
    "add": (lambda a, b: a + b, lambda out, a, b: (node(1.0), node(1.0))),
    "multiply": (lambda a, b: a * b, lambda out, a, b: (b, a)),
    "exp": (math.exp, lambda out, a: (out,)),
    "log": (math.log, lambda out, a: (Node("reciprocal", a),)),
    "tanh": (math.tanh, lambda out, a: (node(1.0) - out * out,)),
    "reciprocal": (lambda a: 1 / a, lambda out, a: (-(out * out),)),
    "relu": (lambda a: max(a, 0.0), lambda out, a: (Node("step", a),)),
    "step": (lambda a: float(a > 0), lambda out, a: (node(0.0),)),  # the derivative at 0 is taken as 0
}


def topological(output: Node) -> list[Node]:
    """All nodes that ``output`` depends on, inputs before what is computed from them; no recursion, graphs are deep."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(output, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            order.append(current)
        elif current not in seen:
            seen.add(current)
            stack.append((current, True))
            stack.extend((n, False) for n in current.inputs)
    return order


def forward(output: Node, point: Mapping[str, float]) -> dict[Node, float]:
    """The value of each node at a point.

    Raises:
        UserError: A variable has no value in ``point``.
    """
    values: dict[Node, float] = {}
    for n in topological(output):
        if n.operation == "variable":
            if n.name not in point:
                raise UserError(f"the variable {n.name} has no value: the point has {', '.join(point) or 'none'}")
            values[n] = point[n.name]
        elif n.operation == "constant":
            values[n] = n.constant
        else:
            values[n] = OPERATIONS[n.operation][0](*(values[i] for i in n.inputs))
    return values


def gradients(output: Node, point: Mapping[str, float]) -> dict[str, float]:
    """The derivative of ``output`` with respect to each variable, as numbers (algorithm 6.2)."""
    values = forward(output, point)
    found = dict.fromkeys(values, 0.0)
    found[output] = 1.0
    for n in reversed(topological(output)):
        if n.inputs:
            for i, local in zip(n.inputs, OPERATIONS[n.operation][1](n, *n.inputs), strict=True):
                found[i] += found[n] * _local_value(local, values)
    return _by_name(found, 0.0)


def _local_value(local: Node, values: Mapping[Node, float]) -> float:
    """The value of a local derivative: an expression of a few operations on nodes whose values are known."""
    if local in values:
        return values[local]
    if local.operation == "constant":
        return local.constant
    return OPERATIONS[local.operation][0](*(_local_value(i, values) for i in local.inputs))


def derivative_graph(output: Node) -> dict[str, Node]:
    """The derivative with respect to each variable, as graphs of the same nodes (algorithms 6.5 and 6.6)."""
    order = topological(output)
    found: dict[Node, Node] = {output: node(1.0)}
    for n in reversed(order):
        if n.inputs and n in found:
            for i, local in zip(n.inputs, OPERATIONS[n.operation][1](n, *n.inputs), strict=True):
                found[i] = found[i] + found[n] * local if i in found else found[n] * local
    return _by_name({n: found.get(n, node(0.0)) for n in order}, node(0.0))


def _by_name(found: Mapping[Node, "Node | float"], zero: "Node | float") -> dict:  # type: ignore[type-arg]
    """Sums by variable: two nodes of one name are the same variable."""
    named: dict = {}
    for n, derivative in found.items():
        if n.operation == "variable":
            named[n.name] = named.get(n.name, zero) + derivative
    return named


def hessian_vector_product(output: Node, point: Mapping[str, float], vector: Mapping[str, float]) -> dict[str, float]:
    """H v by name: the gradient of (gradient . v), at the cost of a few forward passes, not one for each column."""
    total = node(0.0)
    for name, derivative in derivative_graph(output).items():
        total = total + derivative * vector.get(name, 0.0)
    product = gradients(total, point)
    return {name: product.get(name, 0.0) for name in derivative_graph(output)}


def gradient_check(output: Node, point: Mapping[str, float], step: float = 1e-5) -> float:
    """The largest distance of a derivative from the central difference, relative to 1 or the derivative's size."""
    worst = 0.0
    for name, derivative in gradients(output, point).items():
        ahead, behind = (output.value({**point, name: point[name] + sign * step}) for sign in (1, -1))
        worst = max(worst, abs(derivative - (ahead - behind) / (2 * step)) / max(1.0, abs(derivative)))
    return worst
