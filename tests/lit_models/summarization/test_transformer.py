"""The transformer that summarizes: the battery, and names that are only numbers in their document."""

from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from lit_models.functional import copying
from lit_models.summarization.transformer import LitTransformerSummarizer, NumberedTransformer
from tests.battery import ADAM, Seq2SeqBattery
from tests.lit_models.summarization.test_pointer_generator import batch

V, K = 9, 3
SMALL: dict[str, Any] = {
    **{"source_vocab_size": V, "target_vocab_size": V, "hidden_size": 12, "num_heads": 2, "num_layers": 1},
    **{"ffn_size": 16, "max_copied": K, "max_length": 8, "optimizer": ADAM},
}


class TestLitTransformerSummarizer(Seq2SeqBattery):
    layer = 4 * 12 * 12 + 2 * 12 * 16 + 16 + 12 + 2 * 24
    parameters = (V + K) * 12 + (V + K) + 2 * layer + 4 * 12 * 12 + 24 + 2 * 24

    def model(self) -> LitTransformerSummarizer:
        return LitTransformerSummarizer(**SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        source, length, target_in, target = batch()
        target_in[2, 3] = 21
        return source, length, target_in, target

    def test_step_by_step_equals_all_at_once(self) -> None:
        """A step reads what the step before wrote, an entry."""
        model, (source, length, target_in, _) = self.model().eval().double(), self.batch()
        net: Any = model.net
        written = copying.as_places(target_in, source, net.places(source, length), V)
        memory, state, steps = net.encode(source, length), None, []
        for t in range(target_in.shape[1]):
            logits, state = net.decode(written[:, t : t + 1], memory, state)
            steps.append(logits)
        torch.testing.assert_close(torch.cat(steps, 1), model(source, length, target_in))


@pytest.mark.parametrize("beam", [1, 3])
def test_the_numbers_of_names_change_nothing_but_the_names(beam: int) -> None:
    torch.manual_seed(0)
    model = LitTransformerSummarizer(**SMALL, beam_width=beam).eval()
    model.net.transformer.head.bias.data[V : V + 2] += 9  # type: ignore[union-attr,operator]  # writes names
    source, length, *_ = batch()
    ids = model.generate_tokens(source, length)
    assert int(ids[2].max()) >= V and {int(i) for i in ids[2]} <= {*source[2].tolist(), 0, 3}
    other = torch.where(source == 40, 77, torch.where(source == 21, 55, source))
    again = model.generate_tokens(other, length)
    assert torch.equal(torch.where(ids == 40, 77, torch.where(ids == 21, 55, ids)), again)


def test_without_numbers_names_are_unknown() -> None:
    net = NumberedTransformer(V, V, max_copied=0, hidden_size=12)
    source, length, *_ = batch()
    assert int(net.places(source, length).max()) < V
    with pytest.raises(ValueError, match="one vocabulary"):
        NumberedTransformer(V, V + 1)
    with pytest.raises(UserError, match=r"model\.max_copied is -1: give a number of at least 0"):
        NumberedTransformer(V, V, max_copied=-1)
