"""Speech: CTC against torch's and against every path, the recognizer against torch's layers, beam search, edits."""

from collections import defaultdict
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lit_models.functional import ctc
from lit_models.functional.character_ngram import CharacterNgram
from lit_models.functional.ctc_decoding import best_path, prefix_beam
from lit_models.functional.edit_distance import alignment
from lit_models.rnn.speech import LitSpeech
from scripts.evidence.verify import Check, Tensors

#: A usual target, repeated labels, an empty one, one that just fits, one that is too long for its three frames.
TARGETS = torch.tensor([[1, 2, 3, 0], [2, 2, 2, 0], [0, 0, 0, 0], [3, 3, 1, 0], [1, 1, 2, 3]])
LENGTHS = torch.tensor([7, 6, 5, 4, 3])


def logits(rows: int = 5, frames: int = 7, labels: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return (2 * torch.randn(rows, frames, labels, generator=generator, dtype=torch.float64)).requires_grad_()


def of_losses(losses: Tensor, x: Tensor) -> Tensors:
    """Losses, which of them are infinite, and the gradient of a weighted sum of the finite ones."""
    possible = losses.isfinite()
    weights = torch.arange(1, len(losses) + 1, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((losses * weights)[possible].sum(), x)
    return {
        "losses": torch.where(possible, losses, 0.0).detach(),
        "impossible": (~possible).double(),
        "grad logits": gradient.nan_to_num(),
    }


def our_ctc() -> Tensors:
    x = logits()
    return of_losses(ctc.ctc_loss(x.log_softmax(2), TARGETS, LENGTHS), x)


def their_ctc(wrong: bool = False) -> Tensors:
    """torch's; wrong: all rows have all frames."""
    x = logits()
    lengths = torch.full_like(LENGTHS, 7) if wrong else LENGTHS
    return of_losses(ctc.torch_ctc_loss(x.log_softmax(2), TARGETS, lengths), x)


def every_path(merge_first: bool = True) -> Tensors:
    """The same by adding up every path of K + 1 labels over the frames, of which each gives one text."""
    x, losses = logits(), []
    for row, target in enumerate(TARGETS.tolist()):
        log_p, wanted, paths = x[row].log_softmax(1), [label for label in target if label], []
        for path in product(range(x.shape[2]), repeat=int(LENGTHS[row])):
            text = best_path(path) if merge_first else blanks_first(path)
            if text == wanted:
                paths.append(torch.stack([log_p[t, label] for t, label in enumerate(path)]).sum())
        losses.append(-torch.stack(paths).logsumexp(0) if paths else torch.tensor(float("inf"), dtype=x.dtype))
    return of_losses(torch.stack(losses), x)


def blanks_first(path: Any) -> list[int]:
    """Wrong: blanks are removed before repeated labels are merged, so that no text repeats a label."""
    labels = [label for label in path if label]
    return [label for last, label in zip([0, *labels], labels, strict=False) if label != last]


# -- the recognizer ---------------------------------------------------------------------------------------------------

SIZES: dict[str, Any] = {"num_classes": 3, "sample_rate": 8000, "n_fft": 256, "hop": 80, "n_mels": 20, "hidden_size": 5}
SAMPLES = torch.tensor([1600, 1005, 640])


def recognizer(bidirectional: bool) -> LitSpeech:
    from transformers.audio_utils import mel_filter_bank

    torch.manual_seed(4)
    model = LitSpeech(**SIZES, bidirectional=bidirectional, lookahead=2, ctc="hand").double()
    filters = mel_filter_bank(129, 20, 0.0, 4000.0, 8000, norm=None, mel_scale="htk")
    model.net.front.filters = torch.from_numpy(filters).T.contiguous()  # type: ignore[union-attr] # ours are float32
    return model


def spoken() -> tuple[Tensor, Tensor, Tensor]:
    x = 0.2 * torch.randn(3, 1600, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return x * (torch.arange(1600) < SAMPLES[:, None]), SAMPLES, torch.tensor([[1, 2, 3], [2, 2, 0], [3, 0, 0]])


def of_recognizer(log_probs: list[Tensor], loss: Tensor, parameters: dict[str, Tensor]) -> Tensors:
    found = {"log-probabilities": torch.cat(log_probs), "loss": loss[None]}
    gradients = torch.autograd.grad(loss, list(parameters.values()))
    return found | {f"grad {name}": g for name, g in zip(parameters, gradients, strict=True)}


def our_recognizer(bidirectional: bool) -> Tensors:
    model, batch = recognizer(bidirectional), spoken()
    loss, _, log_probs = model.losses(batch)
    frames = model.net.frame_counts(SAMPLES).tolist()  # type: ignore[operator]
    return of_recognizer(
        [y[:n] for y, n in zip(log_probs, frames, strict=True)], loss, dict(model.net.named_parameters())
    )


def their_recognizer(bidirectional: bool, wrong: bool = False) -> Tensors:
    """torch.stft, and torch's own layers on each sound alone; wrong: on padded sounds, or without look-ahead."""
    model, (x, lengths, targets) = recognizer(bidirectional), spoken()
    net: Any = model.net
    layers = nn.GRU(40, 5, 2, batch_first=True, bidirectional=bidirectional).double()
    for number in range(2):
        ways = [net.layers[number].ahead, net.layers[number].back] if bidirectional else [net.layers[number]]
        for way, end in zip(ways, ("", "_reverse"), strict=False):
            for name, parameter in way.layers.named_parameters():
                setattr(layers, name.replace("l0", f"l{number}") + end, parameter)
    outputs, losses = [], []
    for sound, n, target in zip(x, lengths.tolist(), targets, strict=True):
        frames = -(-n // 160)
        padded = F.pad(sound[:n], (176, 160 * frames - n)) if not (wrong and bidirectional) else F.pad(sound, (176, 0))
        window = torch.hann_window(256, dtype=x.dtype)
        power = torch.stft(padded, 256, 80, window=window, center=False, return_complex=True).abs().square() / 256
        log = torch.log(net.front.filters @ power + 1e-9).T  # (2 * frames, n_mels)
        level = torch.stack([log[: k + 1].mean() for k in range(len(log))])
        h = layers((log - level[:, None]).reshape(1, -1, 40))[0][0]
        if not bidirectional and not wrong:
            h = sum(F.pad(h, (0, 0, 0, 2))[j : j + len(h)] * net.row[j] for j in range(3))  # type: ignore[assignment]
        elif not bidirectional:
            h = h * net.row.sum(0)
        outputs.append((h @ net.head.weight.T + net.head.bias).log_softmax(1)[:frames])
        size = int((target > 0).sum())
        losses.append(F.ctc_loss(outputs[-1], target[:size], torch.tensor(frames), torch.tensor(size), reduction="sum"))
    return of_recognizer(outputs, torch.stack(losses).sum() / 6, dict(net.named_parameters()))


# -- prefix beam search -----------------------------------------------------------------------------------------------

WEIGHT, BONUS, SOUNDS = 0.7, 0.3, 6


def language_model() -> CharacterNgram:
    return CharacterNgram.learn([[1, 2, 3], [1, 2], [3, 1, 2, 3], [2, 3]], num_labels=4, order=3, k=1.0)


def found_by_beam(width: int) -> Tensors:
    """The best text of each sound, and its scores."""
    texts, scores = [], []
    for y in logits(SOUNDS, 5).detach().log_softmax(2).numpy():
        best = prefix_beam(y, width, language_model(), WEIGHT, BONUS)[0]
        texts.append([*best.labels, *[0] * (5 - len(best.labels))])
        scores.append([best.log_p, best.score])
    return {"texts": torch.tensor(texts).double(), "scores": torch.tensor(scores, dtype=torch.float64)}


def found_by_trying() -> Tensors:
    """Every path is added to its text; the language model by its definition, from counts of dictionaries."""
    texts, scores, model = [], [], language_model()
    for y in logits(SOUNDS, 5).detach().log_softmax(2).numpy():
        sums: dict[tuple[int, ...], float] = defaultdict(lambda: -np.inf)
        for path in product(range(4), repeat=5):
            text = tuple(best_path(path))
            sums[text] = np.logaddexp(sums[text], sum(y[t, label] for t, label in enumerate(path)))
        score, text = max((p + WEIGHT * model.log_p(t) + BONUS * len(t), t) for t, p in sums.items())
        texts.append([*text, *[0] * (5 - len(text))])
        scores.append([sums[text], score])
    return {"texts": torch.tensor(texts).double(), "scores": torch.tensor(scores, dtype=torch.float64)}


# -- edit distance ----------------------------------------------------------------------------------------------------

TRUE = ["0123456789", "5512", "7", "1231231234", "0000"]
HEARD = ["123456789", "5123", "", "1321231134", "00100"]


def our_edits() -> Tensors:
    counts = []
    for true, heard in zip(TRUE, HEARD, strict=True):
        pairs = alignment(true, heard)
        inserted, deleted = (sum(pair[side] is None for pair in pairs) for side in (0, 1))
        wrong = sum(a != b for a, b in pairs) - inserted - deleted
        counts.append([wrong + inserted + deleted, wrong + deleted + sum(a == b for a, b in pairs)])
    rate = sum(c[0] for c in counts) / sum(c[1] for c in counts)
    return {"edits and true labels": torch.tensor(counts).double(), "rate": torch.tensor([rate]).double()}


def their_edits(mean_of_rates: bool = False) -> Tensors:
    import jiwer

    counts, rates = [], []
    for true, heard in zip(TRUE, HEARD, strict=True):
        found = jiwer.process_characters(true, heard)
        counts.append([found.substitutions + found.insertions + found.deletions, len(true)])
        rates.append(found.cer)
    rate = sum(rates) / len(rates) if mean_of_rates else jiwer.cer(TRUE, HEARD)
    return {"edits and true labels": torch.tensor(counts).double(), "rate": torch.tensor([rate]).double()}


CHECKS = [
    Check(
        name="rnn/ctc",
        claim="CTC's loss and gradient, with repeated labels, an empty target and one that is too long, against torch",
        package="torch",
        ours=our_ctc,
        reference=their_ctc,
        control=partial(their_ctc, wrong=True),
        mistake="padding counts as frames",
    ),
    Check(
        name="rnn/ctc_paths",
        claim="CTC's loss and gradient against the sum over every path",
        package="torch",
        ours=our_ctc,
        reference=every_path,
        control=partial(every_path, merge_first=False),
        mistake="blanks are removed before repeated labels are merged",
    ),
    Check(
        name="rnn/speech",
        claim="The recognizer of both directions with CTC against torch.stft and nn.GRU on each sound alone",
        package="torch",
        ours=partial(our_recognizer, True),
        reference=partial(their_recognizer, True),
        control=partial(their_recognizer, True, wrong=True),
        mistake="the way back begins in the padding",
    ),
    Check(
        name="rnn/speech_stream",
        claim="The recognizer of one direction with a row convolution, the same",
        package="torch",
        ours=partial(our_recognizer, False),
        reference=partial(their_recognizer, False),
        control=partial(their_recognizer, False, wrong=True),
        mistake="all taps of the row convolution at the step itself",
    ),
    Check(
        name="rnn/prefix_beam",
        without="gradients: texts have none",
        claim="Prefix beam search with an n-gram model and a bonus against every path added to its text",
        package="numpy",
        ours=partial(found_by_beam, 10_000),
        reference=found_by_trying,
        control=partial(found_by_beam, 1),
        mistake="a beam of one prefix",
    ),
    Check(
        name="rnn/edit_distance",
        without="gradients: counts have none",
        claim="Edit distance and the error rate of a set against jiwer",
        package="jiwer",
        ours=our_edits,
        reference=their_edits,
        control=partial(their_edits, mean_of_rates=True),
        mistake="the mean of the texts' own rates",
    ),
]
