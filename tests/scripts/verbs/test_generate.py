"""`dive generate` on a run of a few steps: only its folder is needed, and every mistake is one line."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from scripts.cli import main
from scripts.front.runs import newest_run
from scripts.verbs.generate import guard_prompts

TRAINING = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A character model of two steps; its text is deleted after the training."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "text.txt"
    path.write_text("the cat sat on the mat and the dog sat on the log.\n" * 80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        patch.delenv("DIVE_RUN_DIR", raising=False)
        data = ["--data", "TextFile", "--data.path", str(path), "--data.vocab_size", "30", "--data.batch_size", "4",
                "--data.eval_batch_size", "2", "--data.seq_len", "8", "--model.hidden_size", "16"]  # fmt: skip
        assert main(["fit", "rnn/gru", *data, *TRAINING]) == 0
        found = newest_run("rnn/gru").resolve()
    path.unlink()
    return found


def generate(run: Path, *words: str) -> int:
    return main(["generate", "--run", str(run), *words])


def test_text_goes_on_from_the_prompt_and_the_seed_decides_it(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for seed in ("1", "1", "2"):
        assert generate(run, "--prompt", "the cat", "--max_tokens", "40", "--seed", seed) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0].startswith("the cat") and len(texts[0]) > 40
    assert texts[0] == texts[1] != texts[2]


def test_a_stop_text_ends_the_writing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--prompt", "the", "--max_tokens", "60", "--seed", "3") == 0
    whole = capsys.readouterr().out
    stop = whole[10:13]
    assert generate(run, "--prompt", "the", "--max_tokens", "60", "--seed", "3", "--stop", stop) == 0
    assert capsys.readouterr().out.rstrip("\n") == whole[: whole.index(stop, 3)]


def test_a_checkpoint_that_does_not_fit_the_run_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = Path(shutil.copytree(run, tmp_path / "run"))
    config = changed / "config.yaml"
    config.write_text(config.read_text().replace("hidden_size: 16", "hidden_size: 12"))
    capsys.readouterr()
    assert generate(changed, "--prompt", "the") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "best.ckpt does not fit the config of its run: " in error and "size mismatch" in error


def test_greedy_text_is_the_same_alone_and_in_a_batch(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--prompt", "the c", "the d", "--temperature", "0", "--max_tokens", "12") == 0
    both = capsys.readouterr().out
    for prompt in ("the c", "the d"):
        assert generate(run, "--prompt", prompt, "--temperature", "0", "--max_tokens", "12") == 0
        assert capsys.readouterr().out.strip("\n") in both
    assert generate(run, "--prompt", "a", "the dog", "--max_tokens", "3") == 0  # of different lengths


def test_samples_of_one_prompt_differ(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--prompt", "the", "--samples", "3", "--max_tokens", "30") == 0
    parts = [part.split("\n", 1)[1] for part in capsys.readouterr().out.split("--- ")[1:]]
    assert len(parts) == len(set(parts)) == 3


def test_a_draft_changes_the_steps_and_not_the_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--prompt", "the cat", "--temperature", "0", "--max_tokens", "20"]
    assert generate(run, *words) == 0
    alone = capsys.readouterr().out
    assert generate(run, *words, "--draft", str(run), "--draft_tokens", "3") == 0
    both = capsys.readouterr()
    assert both.out == alone
    assert "100% of the draft's 15 tokens were accepted, 4.0 tokens for each step of the model" in both.err


def test_a_draft_of_another_vocabulary_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    processor = json.loads((other / "processor.json").read_text())
    text = json.dumps(processor["tokenizer"])
    processor["tokenizer"] = json.loads(text.replace('"c", ', "", 1).replace('"d", ', '"d", "c", ', 1))
    (other / "processor.json").write_text(json.dumps(processor))
    assert generate(run, "--prompt", "the", "--draft", str(other)) == 2
    assert "has another vocabulary (30 tokens, the model has 30)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", "the", "--draft", "rnn/gro"], "did you mean"),
        (["--prompt", "the", "--draft", "rnn/gru", "--draft_tokens", "0"], "--draft_tokens is 0"),
        (["--prompt", "ሰኞ"], "vocabulary lacks"),
        (["--prompt", ""], "no token"),
        (["--prompt", "the", "--temperature", "-1"], "temperature is -1"),
        (["--prompt", "the", "--top_p", "2"], "top_p is 2"),
        (["--prompt", "the", "--max_tokens", "0"], "--max_tokens is 0"),
        (["--prompt", "the", "--n_best", "3"], "unrecognized arguments: --n_best"),
        (["--ckpt_path", "no.ckpt"], "no checkpoint"),
    ],
)
def test_mistakes_are_one_line(run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error and error.startswith("dive: ")


def test_no_recipe_and_no_run_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (([], "which recipe"), (["rnn/gru"], "no run of rnn/gru"), (["rnn/gro"], "did you mean")):
        assert main(["generate", *words]) == 2
        assert message in capsys.readouterr().err


def test_what_was_written_is_what_the_network_says(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Greedy text by hand: the whole text read again for each character, no state."""
    import argparse

    from scripts.verbs.generate import load

    model, data, _ = load(argparse.Namespace(recipe="", run=str(run), ckpt_path="best"))
    ids = data.tokenizer.encode("the cat")
    for _ in range(15):
        with torch.no_grad():
            ids.append(int(model.eval()(torch.tensor([ids]))[0, -1].argmax()))
    assert generate(run, "--prompt", "the cat", "--temperature", "0", "--max_tokens", "15") == 0
    assert capsys.readouterr().out == data.tokenizer.decode(ids) + "\n"


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two steps on sequences of letters."""
    folder = tmp_path_factory.mktemp("translator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        patch.delenv("DIVE_RUN_DIR", raising=False)
        data = ["--data.train_size", "100", "--data.val_size", "10", "--data.test_size", "10"]
        assert main(["fit", "rnn/seq2seq", *data, "--model.hidden_size", "16", *TRAINING]) == 0
        return newest_run("rnn/seq2seq").resolve()


def test_a_translator_answers_each_prompt(translator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(translator, "--prompt", "a b c", "d e") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" => ")[0] for line in lines] == ["a b c", "d e"]


def test_the_n_best_answers_of_a_beam_are_different_and_in_order(
    translator: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(translator, "--prompt", "a b c", "--beam", "4", "--n_best", "3") == 0
    first, *answers = capsys.readouterr().out.splitlines()
    scores = [float(line.split()[0]) for line in answers]
    assert first == "a b c =>" and len(answers) == len(set(answers)) == 3 and scores == sorted(scores, reverse=True)


def test_a_translators_mistakes_are_one_line(translator: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(translator) == 2
    assert "--prompt" in capsys.readouterr().err
    assert generate(translator, "--prompt", " ".join("abcdefghij")) == 2
    assert "more than the 9 tokens" in capsys.readouterr().err
    assert generate(translator, "--prompt", "a x c") == 0
    assert "note: 'x' is unknown" in capsys.readouterr().err


def test_a_run_that_writes_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "rnn/autoregressive", *TRAINING]) == 0
    assert generate(newest_run("rnn/autoregressive"), "--prompt", "a") == 2
    assert "generates nothing" in capsys.readouterr().err


def test_of_a_prompt_longer_than_the_context_the_last_part_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    from datamodules.text.tokenizers import CharTokenizer
    from lit_models.tasks.text_generation import encode_prompt

    tokenizer = CharTokenizer.train(["abc"], 10)
    assert len(encode_prompt(tokenizer, "abca", 4)) == 4 and not capsys.readouterr().err
    assert encode_prompt(tokenizer, "cabcab", 4) == tokenizer.encode("bcab")
    assert "has 6 tokens, the model reads 4 at once" in capsys.readouterr().err


def test_samples_of_prompts_of_different_lengths_differ_and_are_those_of_each_prompt_alone(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(run, "--prompt", "a", "the dog", "--samples", "3", "--max_tokens", "30") == 0
    together = [part.split("\n", 1)[1].rstrip("\n") for part in capsys.readouterr().out.split("--- ")[1:]]
    assert len(together) == len(set(together)) == 6
    assert generate(run, "--prompt", "the dog", "--samples", "3", "--max_tokens", "30") == 0
    alone = [part.split("\n", 1)[1].rstrip("\n") for part in capsys.readouterr().out.split("--- ")[1:]]
    assert alone == together[3:]


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transformer over characters, of two steps."""
    folder = tmp_path_factory.mktemp("gpt")
    (folder / "text.txt").write_text("the cat sat on the mat and the dog sat on the log.\n" * 80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIVE_RUNS", str(folder / "runs"))
        data = ["--data", "TextFile", "--data.path", str(folder / "text.txt"), "--data.vocab_size", "30"]
        sizes = ["--data.batch_size", "4", "--data.seq_len", "32", "--model.hidden_size", "16"]
        assert main(["fit", "attention/gpt", *data, "--data.tokenizer", "char", *sizes, *TRAINING]) == 0
        return newest_run("attention/gpt").resolve()


@pytest.mark.parametrize("more", [[], ["--temperature", "0"], ["--repetition_penalty", "1.5"], ["--stop", "t", "a"]])
def test_texts_of_any_lengths_are_the_same_in_one_pool(
    gpt: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--prompt", "the cat", "a", "the dog sat", "--samples", "2", "--max_tokens", "20", *more]
    assert generate(gpt, *words) == 0
    alone = capsys.readouterr().out
    assert generate(gpt, *words, "--pool_tokens", "100") == 0  # less than all need at once: some wait
    assert capsys.readouterr().out == alone and alone.count("--- ") == 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pool_tokens", "-1"], "--pool_tokens is -1: give at least 1"),
        (["--pool_tokens", "16", "--max_tokens", "20"], "more than the 1 blocks of 16: give more --pool_tokens"),
        (["--pool_tokens", "200", "--max_tokens", "40"], "more than the 32 that the model reads at once: shorten them"),
    ],
)
def test_a_pool_that_is_too_small_is_named(
    gpt: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(gpt, "--prompt", "the cat", *words) == 2
    assert message in capsys.readouterr().err


def test_a_recurrent_network_has_no_pool(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--prompt", "the", "--pool_tokens", "100") == 2
    assert "only a GPT does" in capsys.readouterr().err


def test_a_prompt_may_begin_with_a_dash_and_have_a_new_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--prompt", "the\\nlog", "--max_tokens", "3", "--temperature", "0") == 0
    assert capsys.readouterr().out.startswith("the\nlog")
    assert generate(run, "--prompt", "-the") == 2
    assert "'-', which the model's vocabulary lacks" in capsys.readouterr().err


def test_the_help_of_a_run_shows_its_models_options(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(run, "--help") == 0
    text = capsys.readouterr().out
    assert "--temperature" in text and "0 is greedy. (default 0.8)" in " ".join(text.split()) and "--beam" not in text


def test_several_prompts_and_stops_may_begin_with_a_dash() -> None:
    assert guard_prompts(["--prompt", "-one", "-two", "x", "--stop", "-", "--seed", "-1"]) == [
        "--prompt=-one", "--prompt=-two", "--prompt", "x", "--stop=-", "--seed", "-1",
    ]  # fmt: skip
    assert guard_prompts(["rnn/gru", "--prompt", "a", "b"]) == ["rnn/gru", "--prompt", "a", "b"]
