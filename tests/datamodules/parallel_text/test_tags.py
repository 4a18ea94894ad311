"""Tags of languages and of back-translation."""

import pytest

from common.messages import UserError
from datamodules.parallel_text.tags import check_tag, groups_of, tag_of, tags_of, without_tags


def test_the_tag_is_found_behind_that_of_back_translation() -> None:
    assert tag_of("<2sw> Monday") == tag_of("<BT> <2sw> Monday") == "<2sw>" and tag_of("Monday <2sw>") == ""
    assert without_tags("<BT> <2sw> Monday") == without_tags("<2yo> Monday") == without_tags("<BT> Monday") == "Monday"
    assert tags_of(["<2sw> a", "<2am> b", "<2sw> c"]) == ["<2am>", "<2sw>"] and tags_of(["<2sw> a", "b"]) == []
    assert groups_of(["<2sw> a", "<2am> b", "<2sw> c"]).tolist() == [1, 0, 1]


def test_an_unknown_tag_is_one_line_with_those_that_are_known() -> None:
    check_tag("<2sw> a", ["<2am>", "<2sw>"])
    check_tag("anything", [])
    with pytest.raises(
        UserError, match=r"has the tag <2xx>, which the model does not know: begin with one of <2am>, <2s"
    ):
        check_tag("<2xx> a", ["<2am>", "<2sw>"])
    with pytest.raises(UserError, match="has no tag of a language: begin with one of"):
        check_tag("a", ["<2am>"])
