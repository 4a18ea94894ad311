"""The routing map: fractions of each group's tokens by layer and expert, padding left out."""

from types import SimpleNamespace
from typing import Any

import torch

from callbacks.pictures import routing_map
from callbacks.pictures.routing_map import RoutingMap, draw_routing


def test_counts_are_of_real_tokens_by_layer_group_and_expert(monkeypatch: Any) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(routing_map, "draw_routing", lambda *args: seen.extend(args))
    experts = torch.tensor([[[0, 1], [0, 1], [1, 1]], [[1, 0], [1, 0], [1, 0]]])  # (N, T, layers)
    picture = RoutingMap(texts=1)
    batch = torch.tensor([[3, 4, 5], [6, 7, 8]]), torch.tensor([[4, 5, -1], [7, 8, 9]])
    rows = picture.collect(None, {"experts": experts[:, :, None]}, batch)  # type: ignore[arg-type]
    data = SimpleNamespace(subsets={"test": {"de": [True, False], "sw": [False, True]}})
    picture.draw(SimpleNamespace(datamodule=data), rows)  # type: ignore[arg-type]
    counts, groups, names, lines = seen
    assert groups == ["de", "sw"]
    assert counts.tolist() == [[[2, 0], [0, 3]], [[0, 2], [3, 0]]]
    assert names == ["de", "sw"] and lines.tolist() == [[0, 0, 1], [1, 1, 1]]


def test_the_figure_has_a_map_for_each_layer_and_a_line_for_each_text() -> None:
    counts = torch.tensor([[[2.0, 0], [1, 3]]] * 3)
    figure = draw_routing(counts, ["de", "sw"], ["de", "de", "sw"], torch.tensor([[0, 1], [0, 0], [1, 1]]))
    assert len(figure.axes) == 4
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "0.00", "0.25", "0.75"]
    assert [label.get_text() for label in figure.axes[-1].get_yticklabels()] == ["de", "de", "sw"]
