"""WikiText-2: the published test part, and training without the training part."""

from pathlib import Path

import pytest

from common.messages import UserError
from datamodules.text.wikitext2 import WikiText2


@pytest.mark.realdata
def test_the_test_part_has_the_published_number_of_words() -> None:
    data = WikiText2()
    data.setup("fit")
    assert len(data.corpus["test"]) == 245_569
    assert len(data.corpus["train"]) + len(data.corpus["val"]) == 217_646


@pytest.mark.realdata
def test_the_absent_training_part_is_named() -> None:
    from datamodules.downloads import data_root

    if (Path(data_root()) / "wikitext-2/wiki.train.tokens").is_file():
        pytest.skip("the training part is here")
    with pytest.raises(UserError, match=r"wiki\.train\.tokens"):
        WikiText2(part="train").texts()
