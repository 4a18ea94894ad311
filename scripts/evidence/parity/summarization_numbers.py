"""The transformer that writes words by their number in the document, against a loop that numbers them."""

from functools import partial

import torch
from torch import Tensor

from lit_models.summarization.transformer import NumberedTransformer
from scripts.evidence.verify import Check, Tensors

V, MOST = 9, 3  # words; numbers
SOURCE = torch.tensor([[4, 12, 5, 30, 12, 40], [50, 6, 12, 50, 0, 0], [60, 61, 62, 63, 60, 63]])
LENGTHS = torch.tensor([6, 4, 6])
TARGET = torch.tensor([[1, 30, 40], [1, 50, 77], [1, 62, 63]])  # 77 is in no document, 63 the fourth


def network() -> NumberedTransformer:
    torch.manual_seed(0)
    return NumberedTransformer(V, V, MOST, hidden_size=12, num_layers=1, num_heads=2, ffn_size=16).double()


def result(net: NumberedTransformer, logits: Tensor) -> Tensors:
    logits.sin().sum().backward()
    found = {f"grad {name}": p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"logits": logits.detach(), **found}


def ours() -> Tensors:
    net = network()
    return result(net, net(SOURCE, LENGTHS, TARGET))


def theirs(anew: bool = False) -> Tensors:
    """A dictionary for each document; ``anew``: a word that comes again has another number."""
    net = network()
    rows, said = [], []
    for row, target in zip(SOURCE.tolist(), TARGET.tolist(), strict=True):
        numbers: dict[int, int] = {}
        entries = []
        for place, word in enumerate(row):
            if word >= V:
                numbers.setdefault(word + 1000 * place if anew else word, len(numbers))
                number = numbers[word + 1000 * place if anew else word]
                entries.append(V + number if number < MOST else 3)
            else:
                entries.append(word)
        rows.append(entries)
        known = {word: entry for word, entry in zip(row[::-1], entries[::-1], strict=True) if entry >= V}
        said.append([word if word < V else known.get(word, 3) for word in target])
    return result(net, net.transformer(torch.tensor(rows), LENGTHS, torch.tensor(said)))


CHECKS = [
    Check(
        name="summarization/numbered_transformer",
        claim="Unknown words by their number in the document against a dictionary for each document",
        package="torch",
        ours=ours,
        reference=theirs,
        control=partial(theirs, anew=True),
        mistake="a word that comes again gets a new number",
    )
]
