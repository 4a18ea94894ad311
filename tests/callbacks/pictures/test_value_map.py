"""Values and actions on a map."""

import torch

from callbacks.pictures.value_map import draw_values

NAMES = ["left", "down", "right", "up"]


def test_each_place_has_its_value_and_an_arrow_for_each_action_that_is_taken() -> None:
    policy = torch.zeros(6, 4, dtype=torch.bool)
    policy[0, 2] = policy[1, 1] = policy[1, 2] = True
    policy[5] = True  # all equally good: the end of an episode, no arrow
    ax = draw_values(torch.arange(6.0), policy, (2, 3), NAMES, path=[0, 1, 4, 5]).axes[0]
    texts = [text.get_text() for text in ax.texts]
    assert [text for text in texts if text] == ["0", "1", "2", "3", "4", "5"]
    assert texts.count("") == 3
    assert ax.lines[0].get_xydata().tolist() == [[0, 0], [1, 0], [1, 1], [2, 1]]
