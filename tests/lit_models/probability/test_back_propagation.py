"""Derivatives on a graph: against the central difference and autograd's, visits, deep graphs, second derivatives."""

import pytest
import torch

from common.messages import UserError
from lit_models.probability import back_propagation
from lit_models.probability.back_propagation import (
    Node,
    Variable,
    derivative_graph,
    forward,
    gradient_check,
    gradients,
    hessian_vector_product,
    topological,
)

POINT = {"x": 0.7, "y": -1.3, "z": 2.1}


def expression() -> Node:
    """All operations, with nodes that are used more than once."""
    x, y, z = Variable("x"), Variable("y"), Variable("z")
    shared = (x * y).tanh() + z.relu()
    return (shared * shared + x.exp() / z - y).log() * shared


def test_gradients_agree_with_central_differences() -> None:
    assert gradient_check(expression(), POINT) < 1e-8


def test_a_wrong_rule_fails_the_gradient_check(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh, _ = back_propagation.OPERATIONS["tanh"]
    monkeypatch.setitem(back_propagation.OPERATIONS, "tanh", (tanh, lambda out, a: (back_propagation.node(1.0) - out,)))
    assert gradient_check(expression(), POINT) > 1e-2


def test_the_derivative_is_a_graph_with_the_same_values() -> None:
    numbers = gradients(expression(), POINT)
    for name, graph in derivative_graph(expression()).items():
        assert graph.value(POINT) == pytest.approx(numbers[name], rel=1e-12)


def test_a_hessian_vector_product_is_autograds() -> None:
    def function(v: torch.Tensor) -> torch.Tensor:
        x, y, z = v
        shared = (x * y).tanh() + z.relu()
        return (shared * shared + x.exp() / z - y).log() * shared

    point = torch.tensor(list(POINT.values()), dtype=torch.float64)
    vector = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    expected = torch.autograd.functional.hessian(function, point) @ vector
    found = hessian_vector_product(expression(), POINT, dict(zip("xyz", vector.tolist(), strict=True)))
    torch.testing.assert_close(torch.tensor([found[n] for n in "xyz"], dtype=torch.float64), expected)


def test_a_node_is_visited_once_however_many_paths_lead_through_it() -> None:
    x = Variable("x")
    doubled = x
    for _ in range(60):
        doubled = doubled + doubled  # 2^60 paths
    assert len(topological(doubled)) == 61
    assert gradients(doubled, {"x": 1.0}) == {"x": 2.0**60}


def test_a_chain_of_ten_thousand_operations_needs_no_recursion() -> None:
    total = Variable("x")
    for _ in range(10_000):
        total = total + 1.0
    assert forward(total, {"x": 0.0})[total] == 10_000
    assert gradients(total, {"x": 0.0}) == {"x": 1.0}


def test_two_leaves_of_one_name_are_one_variable() -> None:
    product = Variable("x") * Variable("x")
    assert gradients(product, {"x": 3.0}) == {"x": 6.0}
    assert derivative_graph(product)["x"].value({"x": 3.0}) == 6.0


def test_a_variable_without_a_value_is_named() -> None:
    with pytest.raises(UserError, match="the variable y has no value: the point has x"):
        gradients(Variable("x") * Variable("y"), {"x": 1.0})
