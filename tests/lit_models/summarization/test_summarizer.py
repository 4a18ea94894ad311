"""ROUGE and facts of a test, and summaries of prompts."""

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from common.messages import UserError
from datamodules.summaries.planted import PlantedFacts
from lit_models.functional.rouge import corpus_rouge
from lit_models.summarization.pointer_generator import LitPointerGenerator
from tests.small import small_trainer

SIZES: dict[str, Any] = {"source_vocab_size": 600, "target_vocab_size": 600, "embed_size": 8, "hidden_size": 8}


def planted() -> PlantedFacts:
    return PlantedFacts(train_size=40, val_size=8, test_size=12, max_length=32, batch_size=4, languages=("en", "sw"))


class Perfect(LitPointerGenerator):
    """Its outputs are the references, but for those of the rows ``wrong``, which are ``Nowhere``."""

    wrong: tuple[int, ...] = ()

    def texts(self, ids: Tensor) -> list[str]:
        data, done = self.trainer.datamodule, len(self.generated)  # type: ignore[attr-defined]
        rows = range(done, done + len(ids))
        return ["Nowhere" if row in self.wrong else data.references["test"][row] for row in rows]


def test_a_test_counts_facts_and_compares_with_the_best_reference(tmp_path: Path) -> None:
    data, model = planted(), Perfect(**SIZES, max_length=32)
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    assert found["test/covered"] == 1 and found["test/invented"] == 0 and found["test/r2"] == pytest.approx(100)
    model.wrong = (0, 5)
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    assert found["test/covered"] < 1 and found["test/invented"] > 0
    outputs = ["Nowhere" if i in model.wrong else text for i, text in enumerate(data.references["test"])]
    expected = corpus_rouge(outputs, [[text] for text in data.references["test"]])
    assert {name: found[f"test/{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)
    data.reference_sets = {"test": [[text, "Nowhere"] for text in data.references["test"]]}  # type: ignore[attr-defined]
    (found,) = small_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    assert found["test/r1"] == pytest.approx(100)


def test_prompts_are_summarized_with_their_own_words() -> None:
    data = planted()
    data.setup("fit")
    model = LitPointerGenerator(**SIZES, max_length=6).eval()
    model.net.pointer.bias.data.fill_(-9.0)  # type: ignore[union-attr,operator]  # copies
    text = "Nchi inaitwa Wakanda. Siku ni leo."
    for beam in (1, 2):
        (output,) = model.generate(data, [text], beam=beam)
        assert output.text.endswith("\n") and {*output.text.replace(".", " ").split()} <= {
            *text.replace(".", " ").split()
        }
    assert model.beam_width == 1
    for prompts, options in (([], {}), ([" "], {}), ([text], {"beam": 0}), ([text], {"max_tokens": 0})):
        with pytest.raises(UserError, match="--"):
            list(model.generate(data, prompts, **options))
