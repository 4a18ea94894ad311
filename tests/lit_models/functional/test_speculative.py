"""Speculative decoding: the distribution of the large network, whatever the small one proposes."""

from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor, nn

from lit_models.attention.gpt import GPT
from lit_models.functional.decoding import GREEDY, Sampling
from lit_models.functional.speculative import Counts, Reader, accept, speculative_stream
from lit_models.long_context.mamba import Mamba
from lit_models.tasks.language_model import LanguageModel

ROWS, V, K = 40_000, 4, 2


def chains() -> tuple[Tensor, Tensor]:
    """Two Markov chains (V, V): of the large network, and of the small one, which is wrong."""
    generator = torch.Generator().manual_seed(1)
    p, q = (1.5 * torch.randn(2, V, V, generator=generator).double()).softmax(2)
    return p, q


def drawn(p: Tensor, q: Tensor, residual: bool = True) -> Tensor:
    """How often each pair of the first two tokens comes, (V * V,), after the token 0."""
    generator = torch.Generator().manual_seed(0)
    proposed, last, before = [], torch.zeros(ROWS, dtype=torch.long), []
    for _ in range(K):
        before.append(q[last])
        last = torch.multinomial(before[-1], 1, generator=generator).squeeze(1)
        proposed.append(last)
    tokens = torch.stack(proposed, 1)
    target = p[torch.cat([torch.zeros(ROWS, 1, dtype=torch.long), tokens], 1)]  # (B, K + 1, V)
    count, token = accept(target, torch.stack(before, 1), tokens, generator)
    if not residual:
        token = torch.multinomial(target[torch.arange(ROWS), count], 1, generator=generator).squeeze(1)
    first = torch.where(count > 0, tokens[:, 0], token)
    fresh = torch.multinomial(p[first], 1, generator=generator).squeeze(1)  # the large network goes on alone
    second = torch.where(count > 1, tokens[:, 1], torch.where(count == 1, token, fresh))
    return (first * V + second).bincount(minlength=V * V)


def test_tokens_have_the_distribution_of_the_large_network() -> None:
    p, q = chains()
    expected = (p[0][:, None] * p).flatten() * ROWS
    assert chisquare(drawn(p, q), expected).pvalue > 0.01


def test_without_the_residual_they_do_not() -> None:
    """The chi-square test sees the error that one makes by drawing from p after a rejection."""
    p, q = chains()
    expected = (p[0][:, None] * p).flatten() * ROWS
    assert chisquare(drawn(p, q, residual=False), expected).pvalue < 1e-6


def test_a_perfect_draft_is_always_accepted() -> None:
    p, _ = chains()
    tokens = torch.randint(V, (50, 1))
    count, _ = accept(p[torch.zeros(50, 2, dtype=torch.long)], p[torch.zeros(50, 1, dtype=torch.long)], tokens)
    assert count.tolist() == [1] * 50


class NoState(nn.Module):
    """A network without ``decode``: logits from a table and the distance to the last token of the context."""

    context = 5

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens).cumsum(1)


def networks(kind: str) -> tuple[Any, Any]:
    torch.manual_seed(3)
    if kind == "mamba":
        pair = [Mamba(11, size, 1, 2) for size in (16, 8)]
    elif kind == "no state":
        pair = [NoState(), NoState()]  # type: ignore[list-item]
    else:
        settings: Any = {"window": {"variant": "llama", "window": 4}, "gpt2": {}, "llama": {"variant": "llama"}}[kind]
        pair = [GPT(11, 12, size, 1, 2, dropout=0.0, **settings) for size in (16, 8)]  # type: ignore[misc]
    for net in pair:
        with torch.no_grad():
            for p in net.parameters():
                p.add_(0.3 * torch.randn_like(p))
    return pair[0].double().eval(), pair[1].double().eval()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "window", "mamba"])
@pytest.mark.parametrize("same", [True, False])
def test_greedy_texts_are_those_of_the_large_network_also_beyond_its_context(kind: str, same: bool) -> None:
    large, small = networks(kind)
    small, prompt, counts = large if same else small, torch.tensor([1, 2, 3]), Counts()
    lit = LanguageModel(vocab_size=11, net=large)
    expected = torch.cat(list(lit.generate_tokens(prompt[None], 40, banned_tokens=[5])))
    readers = [Reader(net, getattr(net, "context", 0)) for net in (large, small)]
    found = list(speculative_stream(*readers, prompt, 40, GREEDY, 3, banned=torch.tensor([5]), counts=counts))
    assert torch.stack(found).tolist() == expected.tolist()
    if same:
        assert counts.accepted == counts.proposed and counts.steps == 10


def test_a_network_without_a_state_reads_its_context_again() -> None:
    net, _ = networks("no state")
    text = torch.randint(11, (9,))
    whole = Reader(net, 0).logits(text[:4], 0)
    reader = Reader(net, 0)
    torch.testing.assert_close(reader.logits(text[:4], 2), whole[2:])
    torch.testing.assert_close(reader.logits(text[:4], 1), whole[1:])


def test_sampled_texts_depend_on_the_generator_alone() -> None:
    large, small = networks("llama")

    def text(seed: int) -> list[int]:
        generator, readers = torch.Generator().manual_seed(seed), [Reader(n, 12) for n in (large, small)]
        return [int(t) for t in speculative_stream(*readers, torch.tensor([1]), 20, Sampling(1.0), 3, generator)]

    assert text(0) == text(0) != text(1) and len(text(0)) == 20


def test_a_repetition_penalty_sees_the_text_before_each_proposal_alone() -> None:
    large, small = networks("llama")
    lit, prompt = LanguageModel(vocab_size=11, net=large), torch.tensor([1, 2, 3])
    for options in (Sampling(0.0, repetition_penalty=1.5), Sampling(0.0, repetition_penalty=3.0)):
        expected = torch.cat(list(lit.generate_tokens(prompt[None], 9, options)))
        found = list(speculative_stream(Reader(large, 12), Reader(small, 12), prompt, 9, options, 4))
        assert torch.stack(found).tolist() == expected.tolist()
