"""Published translators as a task: the battery for each variant, a forced first token, weights of a folder."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.text.tokenizers import BPETokenizer
from lit_models.translation.pretrained import LitPretrained, network
from scripts.cli import main
from tests.battery import ADAM, Seq2SeqBattery

SIZES: dict[str, Any] = {
    **{"source_vocab_size": 9, "target_vocab_size": 9, "hidden_size": 16, "num_layers": 1, "num_heads": 2},
    **{"ffn_size": 24, "dropout": 0.0, "max_length": 8, "buckets": 8, "max_distance": 8, "max_positions": 12},
}


class TestT5(Seq2SeqBattery):
    settings: dict[str, Any] = {"variant": "t5"}
    # embedding; encoder: attention, FFN, 2 norms; decoder: 2 attentions, FFN, 3 norms; 2 norms; 2 tables of distances
    parameters = 9 * 16 + (1024 + 768 + 32) + (2048 + 768 + 48) + 32 + 2 * 8 * 2

    def model(self) -> LitPretrained:
        torch.manual_seed(0)
        return LitPretrained(**SIZES, **self.settings, optimizer=ADAM)

    def batch(self) -> tuple[Tensor, ...]:
        source = torch.tensor([[4, 5, 6, 2], [6, 5, 2, 0], [5, 2, 0, 0], [7, 4, 2, 0]])
        target_in = torch.tensor([[1, 6, 5, 4], [1, 5, 6, 0], [1, 5, 0, 0], [1, 4, 7, 0]])
        target_out = torch.tensor([[6, 5, 4, 2], [5, 6, 2, 0], [5, 2, 0, 0], [4, 7, 2, 0]])
        return source, torch.tensor([4, 3, 2, 3]), target_in, target_out


ATTENTION, FFN, NORM = 4 * (16 * 16 + 16), 2 * 16 * 24 + 24 + 16, 32


class TestMarian(TestT5):
    settings = {"variant": "marian"}
    parameters = 9 * 16 + 3 * ATTENTION + 2 * FFN + 5 * NORM


class TestMBart(TestT5):
    settings = {"variant": "mbart", "activation": "gelu"}
    parameters = TestMarian.parameters + 2 * 14 * 16 + 4 * NORM

    def test_every_parameter_gets_a_gradient(self) -> None:
        """Positions that no text of the batch has get none."""
        model, (*inputs, _) = self.model(), self.batch()
        model(*inputs).square().sum().backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())


def test_a_language_can_be_forced_at_the_beginning_of_an_output() -> None:
    source, length = TestT5().batch()[:2]
    model = TestMBart().model().eval()
    model.forced_bos_id = 5
    assert model.generate_tokens(source, length)[:, 0].tolist() == [5] * 4
    beams = model.hypotheses(source, length, 3, 2)
    assert {h.tokens[0] for row in beams for h in row} == {5}
    step = model.step_function(model.net.encode(source, length))  # type: ignore[operator]
    first, state = step(torch.full((4,), 1), None)
    later, _ = step(torch.full((4,), 5), state)
    assert first.isfinite().sum(1).tolist() == [1] * 4 and bool((later.isfinite().sum(1) > 1).all())  # no other one is


def test_a_forced_token_stands_before_the_target_in_the_loss_as_in_a_generation() -> None:
    model = TestMBart().model().eval()
    source, length, target_in, target_out = TestT5().batch()
    model.forced_bos_id = 5
    seen = torch.cat([target_in[:, :1], torch.full((4, 1), 5), target_in[:, 1:]], 1)
    logits = model(source, length, seen)[:, 1:]  # what follows the beginning is given
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target_out.flatten(), ignore_index=0)
    loss, count = model.mean_loss((source, length, target_in, target_out))
    torch.testing.assert_close(loss, expected)
    assert count == (target_out != 0).sum()


def test_the_end_may_also_be_the_beginning() -> None:
    """As in M2M-100 and mBART, whose outputs begin with the end: it is not banned."""
    model = LitPretrained(**SIZES, variant="mbart", pad_id=1, bos_id=2, eos_id=2).eval()
    source, length = TestT5().batch()[:2]
    step = model.step_function(model.net.encode(source, length))  # type: ignore[operator]
    scores, _ = step(torch.full((4,), 2), None)
    assert bool((scores[:, 1] == float("-inf")).all()) and bool((scores[:, 2] > float("-inf")).all())


def test_two_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match=r"t5 needs one vocabulary, not 9 and 8 tokens: --data.shared true"):
        network(9, 8)


def test_a_run_begins_with_a_folder_and_its_checkpoint_needs_no_file(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=9, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2,
        relative_attention_num_buckets=8, relative_attention_max_distance=8, decoder_start_token_id=0,
    )  # fmt: skip
    theirs = transformers.T5ForConditionalGeneration(config).eval()
    theirs.save_pretrained(tmp_path / "folder")
    model = LitPretrained(**SIZES, weights=str(tmp_path / "folder"))
    trainer = TestT5().trainer(tmp_path)
    source, length, target_in, target_out = TestT5().batch()
    loader = torch.utils.data.DataLoader([(source, length, target_in, target_out)], batch_size=None)  # type: ignore[arg-type]
    trainer.validate(model, loader, verbose=False)
    mask = (torch.arange(4) < length[:, None]).long()
    expected = theirs(input_ids=source, attention_mask=mask, decoder_input_ids=target_in).logits
    torch.testing.assert_close(model.eval()(source, length, target_in), expected, atol=1e-5, rtol=1e-4)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    for file in (tmp_path / "folder").iterdir():
        file.unlink()
    again = LitPretrained.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
    assert torch.equal(again.eval()(source, length, target_in), model(source, length, target_in))


def test_a_person_s_pairs_are_cut_by_the_folder_s_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And its special tokens go to the task; a run of it translates and is tested without the folder."""
    transformers = pytest.importorskip("transformers")
    folder, pairs = tmp_path / "folder", tmp_path / "pairs.tsv"
    ends = {"pad_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 0}
    config = transformers.T5Config(vocab_size=280, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, **ends)
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    rows = [(f"one {i}", f"moja {i}") for i in range(40)]
    pairs.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    BPETokenizer.train([text for row in rows for text in row], 275).model.save(str(folder / "tokenizer.json"))
    monkeypatch.setenv("DIVE_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DIVE_RUN_DIR", raising=False)
    words = ["fit", "translation/pretrained", "--data", "ParallelFile", "--data.path", str(pairs)]
    words += ["--data.vocabulary", str(folder), "--model.weights", str(folder), "--trainer.max_epochs", "1"]
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "hidden_size is 8 in the file, 64 here" in error
    give = error.partition("; give ")[2].split()
    assert main([*words, *give, "--data.batch_size", "8"]) == 0
    for file in folder.iterdir():
        file.unlink()
    assert main(["test", "translation/pretrained"]) == 0
    assert main(["generate", "translation/pretrained", "--prompt", "one 3", "--beam", "2"]) == 0
    assert "one 3 =>" in capsys.readouterr().out
