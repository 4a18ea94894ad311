"""A class in the place of another keeps what was written and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.front.build import parse


def arguments(*words: str, part: str = "model") -> dict[str, Any]:
    return parse(list(words)).config[part].init_args.as_dict()


@pytest.mark.parametrize("name", ["AdamW", "torch.optim.AdamW"])
def test_an_optimizer_keeps_the_rate_and_gets_its_own_weight_decay(name: str) -> None:
    """The recipe says Adam with lr and fused; Adam's default weight decay is 0 and AdamW's 0.01."""
    found = arguments("cnn/lenet", "--model.optimizer", name)["optimizer"]
    given = found["init_args"]
    assert found["class_path"] == "torch.optim.AdamW"
    assert given["lr"] == 0.003 and given["fused"] is True and given["weight_decay"] == 0.01


def test_a_recipes_optimizer_has_its_own_rate_and_not_that_of_the_signatures_default() -> None:
    """Adadelta's rate is 1; SGD, which the model has where no optimizer is given, has 0.001."""
    given = arguments("optimization/airfoil_adadelta")["optimizer"]["init_args"]
    assert given["lr"] == 1.0 and given["eps"] == 1e-5


def test_what_the_recipe_wrote_is_carried_over() -> None:
    given = arguments("cnn/resnet", "--model.optimizer", "RMSprop")["optimizer"]["init_args"]
    assert given["momentum"] == 0.9 and given["weight_decay"] == 0.0005


def test_what_the_user_wrote_is_kept_whatever_the_default_is() -> None:
    words = ["--model.optimizer", "AdamW", "--model.optimizer.weight_decay", "0", "--model.optimizer.betas=[0.5, 0.9]"]
    given = arguments("cnn/lenet", *words)["optimizer"]["init_args"]
    assert given["weight_decay"] == 0 and given["betas"] == (0.5, 0.9)


def test_a_config_that_swaps_the_class_is_no_other_case(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "model: {init_args: {optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.1}}}}\n"
    )
    given = arguments("cnn/lenet", "-c", str(tmp_path / "own.yaml"))["optimizer"]["init_args"]
    assert given["lr"] == 0.1 and given["fused"] is True and given["weight_decay"] == 0.01


def test_data_of_another_kind_takes_no_argument_that_only_has_the_same_name(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b,y\n" + "".join(f"{3 * i},{i % 7},{i / 3}\n" for i in range(30)))
    words = ["--data", "CSVTable", "--data.path", str(table), "--data.target", "y"]
    given = arguments("rnn/autoregressive", *words, part="data")
    assert given["num_features"] == 2  # the recipe's 4 are values of a series
    assert given["batch_size"] == 16  # the recipe's: every datamodule has it from one place


def test_data_of_the_same_kind_takes_what_both_have_from_one_class() -> None:
    given = arguments("cnn/resnet", "--data", "FashionMNIST", part="data")
    assert given["shift"] == 2 and given["batch_size"] == 64


def test_a_default_that_was_not_swapped_stays() -> None:
    given = arguments("cnn/lenet", "--model.optimizer", "torch.optim.Adam", "--model.optimizer.lr", "0.1")["optimizer"]
    assert given["init_args"]["lr"] == 0.1 and given["init_args"]["fused"] is True
    assert torch.optim.Adam.__name__ in given["class_path"]


def test_sizes_that_own_files_decide_are_not_carried_over_and_settings_are() -> None:
    from scripts.front.class_swaps import found_in_files

    assert found_in_files("datamodules.text.text_file.TextFile") >= {"vocab_size", "tokenizer"}
    assert "lower" not in found_in_files("datamodules.text.text_file.TextFile")
    assert {"source_vocab_size", "max_length"} <= found_in_files("datamodules.parallel_text.parallel_file.ParallelFile")
    assert found_in_files("datamodules.text.python_docs.PythonDocs") == set()
