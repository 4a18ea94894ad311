"""BERT's heads against transformers, LoRA against peft: logits, losses and gradients."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.bert.classifier import BertClassifier
from lit_models.bert.question_answering import BertQA, LitBertQA
from lit_models.bert.regression import LitBertRegressor
from lit_models.bert.tagger import BertTagger
from lit_models.layers.lora import LoRALinear
from scripts.evidence.parity.bert import FOLLOWS, LENGTH, SEP, SIZES, gradients, hugging_face, inputs, tokens
from scripts.evidence.verify import Check, Tensors

#: Tags of the tokens: a word's second sub-word, special tokens and padding do not count.
TAGS = torch.tensor(
    [[-100, 1, 0, -100, -100, 3, 2, -100], [-100, 2, -100, 1, *[-100] * 4], [-100, 0, 3, -100, 1, *[-100] * 3]]
)


def ours(kind: Any, name: str, num_labels: int = 0, **arguments: Any) -> Any:
    net = kind(**SIZES, max_length=LENGTH, dropout=0.0, sep_id=SEP, **arguments).double().eval()
    net.load_state_dict(net.from_published(hugging_face(name, num_labels).state_dict()))
    return net


def our_classifier() -> Tensors:
    net = ours(BertClassifier, "BertForSequenceClassification", num_classes=4)
    logits = net(tokens())
    loss = F.cross_entropy(logits, FOLLOWS)
    loss.backward()
    return {"logits": logits, "loss": loss} | gradients(net)


def their_classifier(segments: bool = True) -> Tensors:
    net = hugging_face("BertForSequenceClassification")
    found = net(**inputs(segments), labels=FOLLOWS)
    found.loss.backward()
    return {"logits": found.logits, "loss": found.loss} | gradients(net)


SCORES = torch.tensor([1.5, 4.0, 2.0]).double()


def our_regression() -> Tensors:
    """In units of the scores: the network's output times 2, plus 3."""
    net = ours(BertClassifier, "BertForSequenceClassification", num_labels=1, num_classes=1)
    task = LitBertRegressor(net=net, vocab_size=SIZES["vocab_size"]).double()
    task.target_mean.fill_(3.0)
    task.target_std.fill_(2.0)
    predicted = task(tokens())
    loss = task.loss(predicted, SCORES)
    loss.backward()
    return {"predicted": predicted[:, 0], "loss": loss} | gradients(net)


def their_regression(half: float = 0.5) -> Tensors:
    """transformers' squared error is of standardized scores and has no half."""
    net = hugging_face("BertForSequenceClassification", num_labels=1)
    found = net(**inputs(), labels=(SCORES - 3) / 2)
    loss = half * 4 * found.loss
    loss.backward()
    return {"predicted": found.logits[:, 0] * 2 + 3, "loss": loss} | gradients(net)


def our_tagger() -> Tensors:
    net = ours(BertTagger, "BertForTokenClassification", num_classes=4, pooling="none")
    logits = net(tokens())
    loss = F.cross_entropy(logits.flatten(0, 1), TAGS.flatten(), ignore_index=-100)
    loss.backward()
    return {"logits": logits[tokens() != 0], "loss": loss} | gradients(net)


def their_tagger(all_count: bool = False) -> Tensors:
    """``all_count``: tokens without a tag count as the tag 0."""
    net = hugging_face("BertForTokenClassification")
    found = net(**inputs(), labels=TAGS.clamp(min=0) if all_count else TAGS)
    found.loss.backward()
    return {"logits": found.logits[tokens() != 0], "loss": found.loss} | gradients(net)


SPANS = torch.tensor([[5, 6], [4, 4], [0, 0]])  # of the answers; the last has none


def equal_rows() -> Tensor:
    """Three rows of one width: transformers' softmax has padding in it, ours has not."""
    rows = tokens().clone()
    rows[1, 3:], rows[2, 3:] = torch.tensor([6, 9, 3, 10, 3]), torch.tensor([3, 16, 17, 18, 3])
    return rows


def our_answers() -> Tensors:
    net = ours(BertQA, "BertForQuestionAnswering", pooling="none")
    rows = equal_rows()
    task = LitBertQA(net=net, vocab_size=SIZES["vocab_size"])
    loss, logits = task.mean_loss(rows, SPANS)
    loss.backward()
    return {"start": logits[..., 0], "end": logits[..., 1], "loss": loss} | gradients(net)


def their_answers(padding: int = 0) -> Tensors:
    """With ``padding`` the batch is wider than its longest row."""
    net = hugging_face("BertForQuestionAnswering")
    rows = F.pad(equal_rows(), (0, padding))
    second = ((rows == SEP).long().cumsum(1) - (rows == SEP).long() > 0) & (rows != 0)
    given = {"input_ids": rows, "attention_mask": (rows != 0).long(), "token_type_ids": second.long()}
    found = net(**given, start_positions=SPANS[:, 0], end_positions=SPANS[:, 1])
    found.loss.backward()
    width = equal_rows().shape[1]
    logits = {"start": found.start_logits[:, :width], "end": found.end_logits[:, :width]}
    return logits | {"loss": found.loss} | gradients(net)


def lora_parts() -> tuple[nn.Linear, Tensor, Tensor, Tensor]:
    """A layer, both small matrices of rank 2, and inputs."""
    torch.manual_seed(3)
    linear = nn.Linear(6, 5).double()
    return linear, torch.randn(2, 6).double(), torch.randn(5, 2).double(), torch.randn(7, 6).double()


def our_lora() -> Tensors:
    linear, a, b, x = lora_parts()
    layer = LoRALinear(linear, 2, 6.0).double()
    layer.lora_a.data, layer.lora_b.data = a, b
    out = layer(x)
    out.square().sum().backward()
    return {"out": out, "grad a": layer.lora_a.grad, "grad b": layer.lora_b.grad, "merged": layer.merged().weight}


def their_lora(rank_stabilized: bool = False) -> Tensors:
    import peft

    linear, a, b, x = lora_parts()
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["0"], use_rslora=rank_stabilized)
    net: Any = peft.get_peft_model(nn.Sequential(linear), config).double()
    layer = net.base_model.model[0]
    layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data = a, b
    out = net(x)
    out.square().sum().backward()
    found = {"out": out, "grad a": layer.lora_A["default"].weight.grad, "grad b": layer.lora_B["default"].weight.grad}
    layer.merge()
    return found | {"merged": layer.base_layer.weight}


CHECKS = [
    Check(
        name="bert/classifier",
        claim="The classifier of texts and pairs against BertForSequenceClassification: logits, loss, gradients",
        package="transformers",
        ours=our_classifier,
        reference=their_classifier,
        control=partial(their_classifier, segments=False),
        mistake="the second text has the first one's segment",
    ),
    Check(
        name="bert/regression",
        claim="A number for a pair, in the target's units, against BertForSequenceClassification's regression",
        package="transformers",
        ours=our_regression,
        reference=their_regression,
        control=partial(their_regression, half=1.0),
        mistake="the squared error without D2L's half",
    ),
    Check(
        name="bert/tagger",
        claim="Tags of tokens against BertForTokenClassification: logits, loss, gradients",
        package="transformers",
        ours=our_tagger,
        reference=their_tagger,
        control=partial(their_tagger, all_count=True),
        mistake="tokens without a tag count in the loss",
    ),
    Check(
        name="bert/question_answering",
        claim="First and last tokens of answers against BertForQuestionAnswering: logits, loss, gradients",
        package="transformers",
        ours=our_answers,
        reference=their_answers,
        control=partial(their_answers, padding=3),
        mistake="padding is in the softmax over a passage's tokens",
    ),
    Check(
        name="bert/lora",
        claim="LoRA against peft: outputs, gradients of both matrices, the merged layer",
        package="peft",
        ours=our_lora,
        reference=their_lora,
        control=partial(their_lora, rank_stabilized=True),
        mistake="alpha by the root of the rank (rank-stabilized LoRA), not by the rank",
    ),
]
