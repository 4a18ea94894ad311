"""Nests of tensors: mapped, reordered, measured."""

import torch

from lit_models.functional.state import map_state, reorder, rows_of


def test_reorder_takes_rows_of_every_tensor_and_leaves_the_rest() -> None:
    a, b = torch.arange(6.0).reshape(3, 2), torch.arange(3)
    state = {"a": (a, None), "b": [b, 7]}
    found = reorder(state, torch.tensor([2, 0, 2, 1]))
    assert torch.equal(found["a"][0], a[[2, 0, 2, 1]]) and found["a"][1] is None
    assert found["b"][0].tolist() == [2, 0, 2, 1] and found["b"][1] == 7


def test_a_tuple_stays_a_tuple_and_a_list_a_list() -> None:
    found = map_state(lambda t: t, {"lstm": (torch.zeros(1), torch.zeros(1)), "layers": [torch.zeros(1)]})
    assert type(found["lstm"]) is tuple and type(found["layers"]) is list


def test_a_state_may_reorder_itself() -> None:
    class Cache:
        def reorder(self, index: torch.Tensor) -> str:
            return f"own {index.tolist()}"

    assert reorder(Cache(), torch.tensor([1])) == "own [1]"


def test_beams_of_a_source_keep_what_they_share() -> None:
    class Cache:
        def reorder(self, index: torch.Tensor) -> str:
            return "all"

        def reorder_beams(self, index: torch.Tensor) -> str:
            return "own"

    index = torch.tensor([1, 0])
    assert reorder((Cache(), index), index)[0] == "all"
    found = reorder((Cache(), index), index, beams=True)
    assert found[0] == "own" and found[1].tolist() == [0, 1]


def test_rows_and_map() -> None:
    assert rows_of(None) == 0 and rows_of((None, {"x": torch.zeros(4, 1)})) == 4
    assert map_state(lambda t: t + 1, [torch.zeros(1), None])[0].item() == 1
