"""The language model's task: perplexity, padding, and the state that is carried from batch to batch."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.attention.gpt import LitGPT
from lit_models.tasks.language_model import LanguageModel
from tests.battery import ADAM, LanguageModelBattery
from tests.small import small_trainer


class SmallGRU(nn.Module):
    """A GRU of six units that can go on from a state (B, 6)."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 6)
        self.gru = nn.GRU(6, 6, batch_first=True)
        self.head = nn.Linear(6, vocab_size)

    def decode(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        y, h = self.gru(self.embedding(tokens), None if state is None else state[None])
        return self.head(y), h[0]

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(tokens, None)[0]


class SmallLM(LanguageModel):
    def __init__(self, vocab_size: int = 7, **task: Any) -> None:
        task.setdefault("optimizer", ADAM)
        super().__init__(vocab_size, **task)
        self.net = SmallGRU(vocab_size)


class TestSmallLM(LanguageModelBattery):
    parameters = 42 + 2 * (6 * 18 + 18) + 49
    overfit_loss = 0.4

    def model(self) -> SmallLM:
        return SmallLM()

    def batch(self) -> tuple[Tensor, Tensor]:
        text = torch.arange(24).reshape(4, 6) % 7
        return text[:, :-1], text[:, 1:]


def stream_batches(rows: int = 2, steps: int = 4, length: int = 3) -> list[tuple[Tensor, Tensor]]:
    text = torch.randint(7, (rows, steps * length + 1), generator=torch.Generator().manual_seed(0))
    return [(text[:, i : i + length], text[:, i + 1 : i + 1 + length]) for i in range(0, steps * length, length)]


def loader(batches: Any) -> DataLoader[Any]:
    return DataLoader(batches, batch_size=None)


def test_carried_state_makes_pieces_equal_the_whole(tmp_path: Path) -> None:
    batches = stream_batches()
    whole = tuple(torch.cat([b[i] for b in batches], 1) for i in range(2))
    carried, cold = SmallLM(carry_state=True), SmallLM()
    cold.load_state_dict(carried.state_dict())
    trainer = small_trainer(tmp_path)
    expected = cold.mean_loss(whole, "x")[0].item()
    loss = {}
    for name, model in (("carried", carried), ("cold", cold)):
        for verb in (trainer.validate, trainer.test):  # each begins anew
            (found,) = verb(model, loader(batches), verbose=False)
            loss[name] = found["val/loss" if verb == trainer.validate else "test/loss"]
            assert (abs(loss[name] - expected) < 1e-6) == (name == "carried")


def test_the_gradient_stops_at_the_batchs_edge() -> None:
    model = SmallLM(carry_state=True)
    first, second = stream_batches()[:2]
    model.token_losses(first, "train")
    state = model.carried["train"][1]
    assert not state.requires_grad and bool(state.abs().sum() > 0)
    model.token_losses(second, "train").sum().backward()


@pytest.mark.parametrize(("epoch", "used"), [(0, True), (3, False)])
def test_a_state_is_not_carried_into_another_epoch(epoch: int, used: bool) -> None:
    model, (tokens, _) = SmallLM(carry_state=True), stream_batches()[0]
    model.carried["train"] = (epoch, torch.full((2, 6), 0.9))  # without a trainer this is epoch 0
    assert torch.equal(model.logits(tokens, "train"), model(tokens)) != used


class StopAt(Callback):
    """Saves and stops in the middle of an epoch."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True
            trainer.limit_train_batches = 0
            raise KeyboardInterrupt


@pytest.mark.parametrize("keep", [True, False])
def test_a_resumed_run_goes_on_with_the_carried_state_to_the_bit(tmp_path: Path, keep: bool) -> None:
    from datamodules.text.language_model import LanguageModelData

    class Text(LanguageModelData):
        def texts(self) -> dict[str, str]:
            text = "abcdefg bad cafe deaf gab " * 20
            return {"train": text, "val": text[:40], "test": text[:40]}

    def data() -> Text:
        return Text(vocab_size=14, seq_len=5, partition="sequential", batch_size=4)

    def model() -> SmallLM:
        torch.manual_seed(0)
        return SmallLM(14, carry_state=True)

    straight, resumed, path = model(), model(), tmp_path / "mid.ckpt"
    small_trainer(tmp_path, max_epochs=2).fit(straight, datamodule=data())
    with pytest.raises(SystemExit):
        small_trainer(tmp_path, StopAt(11, path), max_epochs=2).fit(resumed, datamodule=data())
    assert torch.load(path, weights_only=True)["carried_state"]["epoch"] == 0
    if not keep:  # the control: without the state the weights come out different
        content = torch.load(path, weights_only=True)
        del content["carried_state"]
        torch.save(content, path)
    again = model()
    small_trainer(tmp_path, max_epochs=2).fit(again, datamodule=data(), ckpt_path=path)
    equal = all(torch.equal(a, b) for a, b in zip(straight.parameters(), again.parameters(), strict=True))
    assert equal == keep


def test_bits_per_character_come_from_the_datas_characters_per_token(tmp_path: Path) -> None:
    from datamodules.text.text_file import TextFile

    path = tmp_path / "text.txt"
    path.write_text("one two three four five six seven\n" * 60)
    data = TextFile(path=str(path), tokenizer="bpe", vocab_size=270, seq_len=8)
    (found,) = small_trainer(tmp_path).test(SmallLM(270), datamodule=data, verbose=False)
    length = data.characters_per_token["test"]
    assert length > 1
    assert found["test/bits_per_character"] == pytest.approx(found["test/loss"] / math.log(2) / length, rel=1e-5)


def test_prediction_is_each_rows_perplexity() -> None:
    model, (tokens, targets) = SmallLM().eval(), TestSmallLM().batch()
    found = model.predict_step((tokens, targets), 0)
    alone = model.mean_loss((tokens[1:2], targets[1:2]), "x")[0]
    torch.testing.assert_close(found["loss"][1], alone)
    torch.testing.assert_close(found["perplexity"], found["loss"].exp())


class Window(nn.Module):
    """Sees four tokens and cannot go on from a state: the sum of what it sees says what comes."""

    context = 4

    def forward(self, tokens: Tensor) -> Tensor:
        seen = tokens.unfold(1, 1, 1).squeeze(2)
        sums = torch.stack([seen[:, max(0, t - 3) : t + 1].sum(1) for t in range(tokens.shape[1])], 1)
        return nn.functional.one_hot(sums % 7, 7).float()


def test_a_network_without_a_state_reads_its_context_again() -> None:
    model = SmallLM()
    model.net = Window()
    prompt = torch.tensor([[1, 2, 3], [2, 2, 2]])
    written = torch.stack(list(model.generate_tokens(prompt, 6)), 1)
    by_hand, seen = [], prompt
    for _ in range(6):
        by_hand.append(seen[:, -4:].sum(1) % 7)
        seen = torch.cat([seen, by_hand[-1][:, None]], 1)
    assert torch.equal(written, torch.stack(by_hand, 1))


def test_generation_with_a_state_equals_reading_everything_again() -> None:
    model, prompt = SmallLM().eval(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    written = torch.stack(list(model.generate_tokens(prompt, 8)), 1)
    text = prompt
    for t in range(8):
        best = model(text)[:, -1].argmax(1)
        assert torch.equal(best, written[:, t])
        text = torch.cat([text, best[:, None]], 1)


def test_banned_tokens_are_never_chosen() -> None:
    model, prompt = SmallLM().eval(), torch.tensor([[1]])
    free = torch.stack(list(model.generate_tokens(prompt, 5)), 1)
    banned = int(free[0, 0])
    again = torch.stack(list(model.generate_tokens(prompt, 5, banned_tokens=[banned])), 1)
    assert banned not in again.tolist()[0]


def test_a_network_without_a_state_has_none_to_carry(tmp_path: Path) -> None:
    """A transformer's cache is no state either: it would grow, and its checkpoint would need code to load."""
    small = {"vocab_size": 7, "seq_len": 8, "hidden_size": 8, "num_layers": 1, "num_heads": 2}
    pairs = LanguageModel(7, net=nn.Sequential(nn.Embedding(7, 7)), carry_state=True)
    for model in (pairs, LitGPT(**small, carry_state=True)):
        for verb in ("fit", "validate", "test", "predict"):
            with pytest.raises(UserError, match=r"^model.carry_state needs a recurrent network: .*carry_state false$"):
                getattr(small_trainer(tmp_path), verb)(model, loader(stream_batches()))


@pytest.mark.parametrize("refused", [True, False])
def test_a_state_is_not_carried_between_random_windows(tmp_path: Path, refused: bool) -> None:
    from datamodules.text.language_model import LanguageModelData

    class Text(LanguageModelData):
        def texts(self) -> dict[str, str]:
            return dict.fromkeys(("train", "val", "test"), "abcdefg bad cafe deaf gab " * 4)

    trainer, data = small_trainer(tmp_path), Text(vocab_size=14, seq_len=5, partition="random", batch_size=4)
    model = SmallLM(14, carry_state=refused)
    if not refused:
        trainer.fit(model, datamodule=data)
        return
    with pytest.raises(UserError, match=r"model.carry_state .* random windows .* --data.partition sequential"):
        trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)  # its windows follow one another


def test_weights_of_another_vocabulary_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lit_models.tasks.task.load_weights", lambda *_: None)
    for file, notes in (("", 1), ("tokenizer.json", 0)):
        model = SmallLM(weights="a.bin")
        data = SimpleNamespace(tokenizer=object(), tokenizer_file=file)
        model._trainer = SimpleNamespace(datamodule=data)  # type: ignore[assignment]
        model.take_weights()
        assert capsys.readouterr().err.count("give their own by --data.tokenizer FILE") == notes


def test_the_test_does_not_depend_on_the_batch_size_of_the_evaluation_and_has_bits(tmp_path: Path) -> None:
    from datamodules.text.text_file import TextFile

    path = tmp_path / "a.txt"
    path.write_text("".join("abcde"[i * i % 5] for i in range(12_000)) + "\n")
    model = SmallLM(9, carry_state=True)
    losses = []
    for size in (1, 3, 16, 1000):
        data = TextFile(path=str(path), seq_len=9, batch_size=8, eval_batch_size=size, partition="sequential")
        trainer = small_trainer(tmp_path)
        trainer.test(model, data, verbose=False)
        losses.append(float(trainer.callback_metrics["test/loss"]))
        trainer.validate(model, data, verbose=False)
        bits = float(trainer.callback_metrics["val/loss"]) / math.log(2)
        assert float(trainer.callback_metrics["val/bits_per_character"]) == pytest.approx(bits, rel=1e-5)
    assert losses == [losses[0]] * 4


def test_each_evaluation_begins_with_no_state(tmp_path: Path) -> None:
    model, trainer, batches = SmallLM(carry_state=True), small_trainer(tmp_path), stream_batches()
    for verb, name in ((trainer.validate, "val/loss"), (trainer.test, "test/loss")):
        losses = [verb(model, loader(batches), verbose=False)[0][name] for _ in range(2)]
        assert losses[0] == losses[1]


def test_a_restored_state_is_that_of_the_process(tmp_path: Path) -> None:
    model = SmallLM(carry_state=True)
    model._trainer = SimpleNamespace(global_rank=1, world_size=2)  # type: ignore[assignment]
    state = torch.arange(24.0).reshape(2, 2, 6)
    model.on_load_checkpoint({"carried_state": {"epoch": 3, "state": state}})
    epoch, restored = model.carried["train"]
    assert epoch == 3 and torch.equal(restored, state[1])


def test_a_network_with_a_context_never_gets_more_tokens_than_that() -> None:
    class Strict(nn.Module):
        context = 3

        def forward(self, tokens: Tensor) -> Tensor:
            assert tokens.shape[1] <= self.context
            return nn.functional.one_hot((tokens + 1) % 7, 7).float()

    model = SmallLM()
    found = list(model.generate_tokens(torch.tensor([[1, 2]]), 8, net=Strict()))
    assert [int(tokens) for tokens in found] == [3, 4, 5, 6, 0, 1, 2, 3]
