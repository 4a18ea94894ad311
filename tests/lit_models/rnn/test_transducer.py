"""The transducer: the battery, its lattice, greedy transcripts, and a stream."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from common.messages import UserError
from common.transcription import Transcribes
from datamodules.audio.key_strings import KeyStrings
from lit_models.functional.transducer import transducer_loss
from lit_models.rnn.transducer import Greedy, LitTransducer
from tests.battery import ADAM, TaskBattery
from tests.lit_models.rnn.test_speech import TestLitSpeech as CTC
from tests.small import small_trainer

SIZES: dict[str, Any] = {
    **{"num_classes": 3, "sample_rate": 1000, "n_fft": 64, "hop": 20, "n_mels": 8, "hidden_size": 6, "num_layers": 1},
    **{"joint_size": 5, "said_size": 4},
}


def small(**arguments: Any) -> LitTransducer:
    torch.manual_seed(0)
    return LitTransducer(**(SIZES | {"optimizer": ADAM} | arguments))


class TestLitTransducer(TaskBattery):
    overfit_loss = 0.8  # with that of CTC; it begins at 5
    parameters = 2 * 3 * 6 * (16 + 6 + 2) + (12 + 1) * 5 + 4 * 4 + 3 * 4 * (4 + 4 + 2) + 4 * 5 + 2 * (5 + 1) * 4

    def model(self) -> LitTransducer:
        return small(ctc_weight=0.5)

    def batch(self) -> tuple[Tensor, ...]:
        return CTC().batch()

    def outputs(self, model: LitTransducer, batch: tuple[Tensor, ...]) -> Tensor:
        return model(*batch)

    def test_every_parameter_gets_a_gradient(self) -> None:
        model = self.model()
        model.losses(self.batch())[0].backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())

    def test_what_is_heard_in_the_test_is_transcribed_without_the_true_labels(self, tmp_path: Path) -> None:
        model, (x, lengths, targets) = self.model().eval(), self.batch()
        heard = [one.labels for one in model.transcribe(x, lengths)]
        assert heard == model.heard(torch.zeros(0), (x, lengths, targets * 0), test=True)

    def test_labels_alone_need_no_lattice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model, batch = self.model().eval(), self.batch()
        heard = [one.labels for one in model.transcribe(*batch[:2])]
        monkeypatch.setattr(type(model.net), "lattice", None)
        assert model.heard(torch.zeros(0), batch, test=False) == heard


class TestMonotonic(TestLitTransducer):
    overfit_loss = 0.8

    def model(self) -> LitTransducer:
        return small(ctc_weight=0.5, monotonic=True)

    def test_a_frame_gives_one_label_at_most(self) -> None:
        model, (x, lengths, _) = self.model().eval(), self.batch()
        with torch.no_grad():
            model.net.head.bias[2] += 50  # type: ignore[union-attr,index]
        frames = model.net.frame_counts(lengths).tolist()  # type: ignore[operator]
        found = model.transcribe(x, lengths)
        assert [one.labels for one in found] == [[2] * n for n in frames]
        assert all(one.confidence == pytest.approx(1, abs=1e-3) for one in found)

    def test_a_text_of_more_labels_than_frames_is_named(self, tmp_path: Path) -> None:
        data = KeyStrings(snr=[20.0], longest=4, num_train=4, num_eval=4)
        model = LitTransducer(num_classes=16, n_fft=4096, hop=4000, reduction=2, hidden_size=4, monotonic=True)
        with pytest.raises(UserError, match="is shorter than its text"):
            small_trainer(tmp_path).fit(model, datamodule=data)


@pytest.mark.parametrize("weight", [-0.1, float("nan")])
def test_a_weight_below_zero_is_refused(weight: float) -> None:
    with pytest.raises(UserError, match=f"model.ctc_weight is {weight}: give a number of at least 0"):
        small(ctc_weight=weight)


def test_a_transcripts_confidence_is_its_probability_and_rows_do_not_disturb_each_other() -> None:
    model, (x, lengths, _) = small().eval(), CTC().batch()
    with torch.no_grad():
        model.net.head.bias[1:] += 0.4  # type: ignore[union-attr,index]  # an untrained network says something
    together = model.transcribe(x, lengths)
    assert any(one.labels for one in together)
    for row, one in enumerate(together):
        sound = x[row : row + 1, : lengths[row]], lengths[row : row + 1]
        (alone,) = model.transcribe(*sound)
        assert alone.labels == one.labels and alone.confidence == pytest.approx(one.confidence, rel=1e-4)
        labels = torch.tensor([one.labels or [0]])
        loss = transducer_loss(model(*sound, labels), labels, model.net.frame_counts(sound[1]))  # type: ignore[operator]
        assert one.confidence == pytest.approx(float((-loss).exp()), rel=1e-4)


def test_a_frame_gives_a_bounded_number_of_labels() -> None:
    model = small().eval()
    with torch.no_grad():
        model.net.head.bias[2] += 50  # type: ignore[union-attr,index]
    greedy = Greedy(model.net, 2, most=3)  # type: ignore[arg-type]
    found = greedy.frame(torch.zeros(2, 5), torch.tensor([True, False]))
    assert [labels.tolist() for labels, _ in found] == [[2, 0]] * 3


@pytest.fixture(scope="module", params=[False, True], ids=["Graves", "monotonic"])
def stream(request: pytest.FixtureRequest) -> tuple[LitTransducer, KeyStrings]:
    """A network of one direction that says something."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"num_classes": 16, "n_mels": 32, "hidden_size": 8, "num_layers": 1}
    model = LitTransducer(**sizes, bidirectional=False, lookahead=2, monotonic=request.param)
    with torch.no_grad():
        model.net.head.weight[1:] *= 20  # type: ignore[union-attr,index]
    data = KeyStrings(snr=[20.0], longest=4, num_train=8, num_eval=8)
    data.setup("fit")
    return model.eval(), data


@pytest.mark.parametrize("piece", [100, 1777])
def test_a_stream_hears_what_is_heard_in_the_whole_sound(stream: tuple[LitTransducer, KeyStrings], piece: int) -> None:
    model, data = stream
    assert isinstance(model, Transcribes)
    x, lengths, _ = data.transform(data.splits["val"])
    some = 0
    for sound, n in zip(x[:4], lengths[:4].tolist(), strict=True):
        listener, heard = model.listen(), []
        for at in range(0, n, piece):
            heard += listener.hear(sound[at : min(n, at + piece)])
        heard += listener.finish()
        (whole,) = model.transcribe(sound[None, :n], torch.tensor([n]))
        assert [(one.label, one.begin) for one in heard] == [(one.label, one.begin) for one in whole.heard]
        assert not model.monotonic or len({one.begin for one in heard}) == len(heard)
        some += len(heard)
    assert some and model.listen().delay == pytest.approx(0.12)


def test_a_network_of_both_directions_does_not_listen() -> None:
    with pytest.raises(UserError, match="bidirectional false"):
        small().listen()


@pytest.mark.slow
def test_it_learns_strings_of_keys(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LitTransducer(num_classes=16, hidden_size=48, num_layers=1, optimizer=partial(torch.optim.Adam, lr=0.01))
    data = KeyStrings(snr=[20.0], longest=4, num_train=240, num_eval=24, batch_size=16)
    trainer = small_trainer(tmp_path, max_epochs=15, gradient_clip_val=1.0)
    trainer.fit(model, datamodule=data)
    assert trainer.callback_metrics["val/label_error"] < 0.5
