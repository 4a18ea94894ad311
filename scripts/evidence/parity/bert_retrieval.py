"""Retriever and reader against two of transformers' BertModel: vectors, answers, both losses, gradients."""

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lit_models.bert.retrieval import LitRetrieval, RetrievalReader
from scripts.evidence.verify import Check, Tensors

SIZES: dict[str, Any] = {"vocab_size": 11, "max_length": 12, "hidden_size": 8, "num_layers": 2, "num_heads": 2}
QUESTIONS = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0], [2, 9, 4, 3]])
PASSAGES = torch.tensor([[2, 8, 9, 10, 3, 0], [2, 4, 7, 3, 0, 0], [2, 9, 5, 6, 8, 3]])
SPANS = torch.tensor([[1, 2], [2, 2], [3, 4]])


def our_net() -> RetrievalReader:
    torch.manual_seed(2)
    net = RetrievalReader(**SIZES).double()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return net


def found(vectors: tuple[Tensor, Tensor], logits: Tensor, losses: Tensor, parameters: dict[str, Tensor]) -> Tensors:
    losses.sum().backward()
    real = (PASSAGES != 0) & (PASSAGES != 3)
    real[:, 0] = False
    result: Any = {"questions": vectors[0], "passages": vectors[1], "answers": logits[real], "losses": losses}
    return result | {f"grad {name}": p.grad for name, p in parameters.items() if p.grad is not None}


def ours() -> Tensors:
    task: Any = LitRetrieval(**SIZES).double()
    task.net.load_state_dict(our_net().state_dict())
    net = task.net
    task.data_attribute = lambda name, default=None: PASSAGES
    losses = torch.stack(task.losses(QUESTIONS, torch.arange(3), SPANS))
    vectors = net.vectors(QUESTIONS), net.vectors(PASSAGES)
    return found(vectors, net(QUESTIONS, PASSAGES), losses, dict(net.named_parameters()))


def theirs(normalized: bool = True) -> Tensors:
    from transformers import BertConfig, BertModel

    sizes: dict[str, Any] = {"vocab_size": 11, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 32}
    sizes |= {"max_position_embeddings": 12, "pad_token_id": 0}
    net = our_net()
    models = {
        name: BertModel(BertConfig(num_hidden_layers=layers, **sizes), add_pooling_layer=False).double().eval()
        for name, layers in (("retriever", 1), ("reader", 2))
    }
    for name, model in models.items():
        model.load_state_dict(getattr(net, name).state_dict())

    def vectors(tokens: Tensor) -> Tensor:
        real = (tokens != 0).long()
        states = models["retriever"](tokens, attention_mask=real).last_hidden_state
        mean = (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        return F.normalize(mean, dim=1) if normalized else mean

    pair = torch.cat([QUESTIONS, PASSAGES[:, 1:]], 1)
    segments = torch.cat([torch.zeros_like(QUESTIONS), (PASSAGES[:, 1:] != 0).long()], 1)
    real = (pair != 0).long()
    states = models["reader"](pair, attention_mask=real, token_type_ids=segments).last_hidden_state
    logits = F.linear(states[:, 3:], net.qa_outputs.weight, net.qa_outputs.bias)
    candidates = logits.clone()
    candidates[:, 0] = -torch.inf
    candidates = candidates.masked_fill(((PASSAGES == 0) | (PASSAGES == 3))[..., None], -torch.inf)
    q, p = vectors(QUESTIONS), vectors(PASSAGES)
    scale = net.log_scale.exp()
    losses = [F.cross_entropy(scale * q @ p.T, torch.arange(3)), F.cross_entropy(candidates, SPANS)]
    parameters = {f"{name}.{key}": value for name, model in models.items() for key, value in model.named_parameters()}
    own = {name: value for name, value in net.named_parameters() if name.startswith(("qa_", "log_"))}
    return found((q, p), logits, torch.stack(losses), own | parameters)


CHECKS = [
    Check(
        name="bert/retrieval",
        claim="Retriever and reader, their vectors, answers and losses, against two of transformers' BertModel",
        package="transformers",
        ours=ours,
        reference=theirs,
        control=partial(theirs, normalized=False),
        mistake="vectors that are not of length one",
    ),
]
