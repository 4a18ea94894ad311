"""Speech with CTC: the battery, what is logged, transcripts, and a stream."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from common.messages import UserError
from common.transcription import Transcribes
from datamodules.audio.key_strings import KeyStrings
from lit_models.functional.ctc import ctc_loss
from lit_models.rnn.speech import LitSpeech
from lit_models.tasks.transcriber import errors_of
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

SIZES: dict[str, Any] = {
    **{"num_classes": 3, "sample_rate": 1000, "n_fft": 64, "hop": 20, "n_mels": 8, "hidden_size": 6, "num_layers": 1}
}


def small(**arguments: Any) -> LitSpeech:
    torch.manual_seed(0)
    return LitSpeech(**(SIZES | {"optimizer": ADAM} | arguments))


class TestLitSpeech(TaskBattery):
    parameters = 2 * 3 * 6 * (16 + 6 + 2) + (12 + 1) * 4

    def model(self) -> LitSpeech:
        return small()

    def batch(self) -> tuple[Tensor, ...]:
        """Each label is a tone of its own; the sounds have different lengths."""
        targets = torch.tensor([[1, 2, 3], [2, 2, 0], [3, 0, 0], [1, 3, 1]])
        time = torch.arange(480) / 1000
        x = torch.zeros(4, 480)
        for row, labels in enumerate(targets.tolist()):
            for n, label in enumerate(labels):
                sounding = (time >= 0.16 * n + 0.02) & (time < 0.16 * n + 0.12)
                x[row] += sounding * torch.sin(2 * torch.pi * 110 * label * time) * (label > 0)
        return x, torch.tensor([480, 320, 160, 480]), targets

    def test_the_test_logs_errors_of_the_whole_split(self, tmp_path: Path) -> None:
        model, batch = self.model(), self.batch()
        heard = [one.labels for one in model.eval().transcribe(*batch[:2])]
        (found,) = self.trainer(tmp_path).test(model, DataLoader([batch], batch_size=None), verbose=False)  # type: ignore[arg-type]
        true = [[label for label in row if label] for row in batch[2].tolist()]
        expected = errors_of([(a, b, n) for n, (a, b) in enumerate(zip(true, heard, strict=True))])
        assert found["test/label_error"] == pytest.approx(expected["label_error"])
        assert found["test/string_error"] == pytest.approx(expected["string_error"])
        assert found["test/label_error_low"] <= found["test/label_error"] <= found["test/label_error_high"]
        log_probs = model(*batch[:2])
        loss = ctc_loss(log_probs, batch[2], model.net.frame_counts(batch[1])).sum() / 9  # type: ignore[operator]
        assert found["test/loss"] == pytest.approx(float(loss), rel=1e-4)

    def test_the_loss_by_hand_and_torchs_train_alike(self, tmp_path: Path) -> None:
        weights = []
        for ctc in ("hand", "torch"):
            model = small(ctc=ctc, optimizer=partial(torch.optim.SGD, lr=0.1))
            self.fit_one_batch(tmp_path, model, 3)
            weights.append(model.net.head.weight)
        torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[LitSpeech, KeyStrings]:
    """Some steps on clean short strings, in one direction: enough to hear something."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_classes": 16, "n_mels": 32, "hop": 160, "hidden_size": 48, "num_layers": 1}
    model = LitSpeech(
        bidirectional=False, lookahead=2, lm_order=2, optimizer=partial(torch.optim.Adam, lr=0.01), **sizes
    )
    data = KeyStrings(snr=[20.0], longest=4, num_train=160, num_eval=24, batch_size=16)
    small_trainer(tmp_path_factory.mktemp("fit"), max_epochs=12, gradient_clip_val=1.0).fit(model, datamodule=data)
    return model.eval(), data


def test_it_learns_strings_of_keys_and_counts_its_language_model(trained: tuple[LitSpeech, KeyStrings]) -> None:
    model, data = trained
    x, lengths, targets = data.transform(data.splits["val"])
    true = [[label for label in row if label] for row in targets.tolist()]
    heard = [one.labels for one in model.transcribe(x, lengths)]
    rows = [(a, b, n) for n, (a, b) in enumerate(zip(true, heard, strict=True))]
    assert errors_of(rows)["label_error"] < 0.5
    assert model.language_model.shape == (17, 17)
    torch.testing.assert_close(model.language_model.exp().sum(1), torch.ones(17))


def test_times_and_confidences_belong_to_the_text(trained: tuple[LitSpeech, KeyStrings]) -> None:
    model, data = trained
    assert isinstance(model, Transcribes)
    x, lengths, _ = data.transform(data.splits["val"])
    for one, n in zip(model.transcribe(x, lengths), lengths.tolist(), strict=True):
        times = [time for heard in one.heard for time in (heard.begin, heard.end)]
        assert times == sorted(times) and 0 <= one.confidence <= 1
        assert not times or times[-1] <= (n + 320) / 8000
        assert all(0 < heard.confidence <= 1 for heard in one.heard)


@pytest.mark.parametrize("piece", [100, 1777])
def test_a_stream_hears_what_is_heard_in_the_whole_sound(trained: tuple[LitSpeech, KeyStrings], piece: int) -> None:
    model, data = trained
    x, lengths, _ = data.transform(data.splits["val"])
    for sound, n in zip(x[:6], lengths[:6].tolist(), strict=True):
        listener, heard = model.listen(), []
        for at in range(0, n, piece):
            heard += listener.hear(sound[at : min(n, at + piece)])
        heard += listener.finish()
        assert [one.label for one in heard] == model.transcribe(sound[None, :n], torch.tensor([n]))[0].labels


def test_a_beam_is_used_by_the_test_where_it_is_wider_than_one(trained: tuple[LitSpeech, KeyStrings]) -> None:
    model, data = trained
    x, lengths, _ = data.transform(data.splits["val"])
    log_probs, frames = model(x[:4], lengths[:4]), model.net.frame_counts(lengths[:4])  # type: ignore[operator]
    model.beam_width = 4
    try:
        assert model.texts(log_probs, frames, beam=False) == model.texts(log_probs, frames)
        model.bonus = 50.0  # longer texts than the best path's
        assert sum(map(len, model.texts(log_probs, frames))) > sum(map(len, model.texts(log_probs, frames, beam=False)))
    finally:
        model.beam_width, model.bonus = 1, 0.0


def test_a_language_model_of_thousands_of_characters_has_a_lower_order() -> None:
    assert small(num_classes=1500).language_model.shape == (1501, 1501)
    assert small(num_classes=3000).language_model.shape == (3001,) and small().language_model.shape == (4, 4, 4)


def test_a_network_of_both_directions_does_not_listen() -> None:
    with pytest.raises(UserError, match="rnn/speech_stream"):
        small().listen()


def test_a_sound_shorter_than_its_text_is_named(tmp_path: Path) -> None:
    data = KeyStrings(num_train=8, num_eval=8, longest=4)
    model = LitSpeech(num_classes=16, hop=800, reduction=4)  # frames of 0.4 seconds
    with pytest.raises(UserError, match=r"train string \d is shorter than its text: .* frames, its \d characters need"):
        small_trainer(tmp_path).fit(model, datamodule=data)
