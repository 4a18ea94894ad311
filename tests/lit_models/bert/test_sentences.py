"""Sentence vectors; the known answer of published weights is in tests/scripts/verbs/test_embed.py."""

import torch

from lit_models.bert.sentences import MINILM, SentenceEncoder, encode_rows


def test_sizes_of_minilm_are_those_of_the_published_network() -> None:
    with torch.device("meta"):
        net = SentenceEncoder(**MINILM)  # type: ignore[arg-type]
    assert sum(p.numel() for p in net.parameters()) == 22_713_216


def test_vectors_have_length_one_and_batches_do_not_matter() -> None:
    torch.manual_seed(0)
    net = SentenceEncoder(20, 8, sep_id=3).eval()
    rows = [[2, 9, 10, 3], [2, 3], [2, 5, 6, 7, 3], [2, 8, 3]]  # an order that is not its own inverse
    vectors = encode_rows(net, rows, batch_size=2)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    for row, vector in zip(rows, vectors, strict=True):
        torch.testing.assert_close(net(torch.tensor([row]))[0].detach(), vector)
