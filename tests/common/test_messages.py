"""Arguments that are refused before anything is trained with them."""

from typing import Any

import pytest

from common.messages import UserError, refuse_negative
from lit_models.bert.retrieval import LitRetrieval
from lit_models.diffusion.autoencoder import LitAutoencoder
from lit_models.multimodal.mae import LitMAE
from lit_models.summarization.extractive import LitExtractive
from lit_models.summarization.pointer_generator import LitPointerGenerator
from lit_models.vision.ssd import LitSSD


@pytest.mark.parametrize("value", [-0.5, float("nan")])
def test_a_negative_number_is_named_with_its_argument(value: float) -> None:
    refuse_negative(weight=0.0, other=3)
    with pytest.raises(UserError, match=f"model.weight is {value}: give a number of at least 0"):
        refuse_negative(other=1.0, weight=value)


SOURCES: dict[str, Any] = {"source_vocab_size": 9, "target_vocab_size": 9, "hidden_size": 8, "embed_size": 8}
WIDE: dict[str, Any] = {"vocab_size": 20, "hidden_size": 8, "num_heads": 2, "num_layers": 1}


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: LitAutoencoder(kl_weight=-1.0), "model.kl_weight is -1.0"),
        (lambda: LitRetrieval(retriever_weight=-1.0, **WIDE), "model.retriever_weight is -1.0"),
        (lambda: LitSSD(box_weight=-1.0), "model.box_weight is -1.0"),
        (
            lambda: LitPointerGenerator(coverage_weight=-1.0, **SOURCES),
            "model.coverage_weight is -1.0",
        ),
        (lambda: LitExtractive(max_sentences=0, **WIDE), "model.max_sentences is 0: give a whole number"),
        (lambda: LitMAE(mask_fraction=1.0), "model.mask_fraction is 1.0: give a fraction above 0 and below 1"),
        (lambda: LitMAE(few=0), "model.few is 0: give a whole number of at least 1"),
    ],
    ids=lambda part: part.split()[0] if isinstance(part, str) else "",
)
def test_an_argument_that_cannot_be_is_refused(build: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        build()
