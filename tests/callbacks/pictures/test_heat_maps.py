"""Heat maps: names and numbers are as the module says."""

import torch

from callbacks.pictures.heat_maps import draw_maps


def test_small_maps_have_numbers_and_wide_ones_do_not() -> None:
    small = {"title": "one", "values": torch.tensor([[0.25, 1.0]]), "rows": ["layer"], "columns": ["a", "b"]}
    wide = {"title": "two", "values": torch.zeros(1, 17), "rows": ["layer"], "columns": [""] * 17}
    first, second = draw_maps([small, wide]).axes
    assert [t.get_text() for t in first.texts] == ["0.25", "1.00"] and not second.texts
    assert [t.get_text() for t in first.get_xticklabels()] == ["a", "b"] and first.get_title() == "one"
