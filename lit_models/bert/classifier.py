"""BERT with a dense layer: the class of a text, or of a pair of texts.

Devlin et al. 2019, 4.1. D2L 16.6 and 16.7, which has the pair only and reads weights of its own sizes only.

    dive fit bert/classifier                    does the second sentence follow from the first? offline
    dive fit bert/classifier_rt_polarity        film reviews, with all-MiniLM-L6-v2 as it is
    dive fit bert/classifier_sick               entailment, with all-MiniLM-L6-v2 fine-tuned
    dive fit bert/classifier --data BertTable --data.path FILE.csv      your own texts

The numbers they reach are in RESULTS.md.
"""

from torch import Tensor

from lit_models.bert.heads import BertHead, know_texts
from lit_models.tasks.classifier import Classifier
from lit_models.tasks.trains import trains


class BertClassifier(BertHead):
    """tokens (B, T), ``[CLS] a [SEP]`` or ``[CLS] a [SEP] b [SEP]`` -> logits (B, num_classes).

    Args:
        vocab_size, num_classes, hidden_size, num_layers, num_heads, ffn_size, max_length, dropout, pad_id, sep_id: See
            ``BertHead``.
        init_std, init_positions, pooling, frozen, lora_rank, lora_alpha: See ``BertHead``.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        return self.classifier(self.features(tokens))


@trains(BertClassifier)
class LitBertClassifier(Classifier):
    """``BertClassifier`` trained by cross-entropy."""

    def on_train_start(self) -> None:
        super().on_train_start()
        know_texts(self)
