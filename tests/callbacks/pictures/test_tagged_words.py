"""The picture of tagged words."""

from callbacks.pictures.tagged_words import draw_tags


def test_an_error_has_a_frame_and_each_kind_a_color() -> None:
    figure = draw_tags([[("Nairobi", "B-LOC", "B-LOC"), ("is", "O", "O"), ("Ali", "B-PER", "O")]])
    words = {text.get_text(): text for text in figure.axes[0].texts}
    assert words["Ali"].get_bbox_patch() is not None and words["Nairobi"].get_bbox_patch() is None
    assert words["Nairobi"].get_color() == words["LOC"].get_color() != words["is"].get_color()
