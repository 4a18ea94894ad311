"""Short names: ours and torch's are told apart, on the command line and in YAML, before anything is imported."""

import torch

from scripts.front.arguments import expand_classes
from scripts.front.optimizer_names import TORCH, expand_optimizers, in_full, meant, own_classes
from scripts.front.short_names import in_full as in_yaml


def test_a_bare_name_is_torchs_where_both_have_it_and_ours_where_torch_has_none() -> None:
    assert meant("Adam") == "torch.optim.Adam"
    assert meant("lit_models.optimization.Adam") == "lit_models.optimization.adam.Adam"
    assert meant("Lion") == "lit_models.optimization.lion.Lion"
    assert meant("NAdam") == "NAdam" and meant("mine.Adam") == "mine.Adam"


def test_the_names_that_both_have_are_listed() -> None:
    assert {name for name in own_classes() if hasattr(torch.optim, name)} == set(TORCH)


def test_words_are_expanded_after_the_options_of_optimizers_only() -> None:
    words = [
        "--model.optimizer",
        "SAM",
        "--model.optimizer.base=Adam",
        "--model.lr_scheduler",
        "OneCycle",
        "--x",
        "SAM",
    ]
    assert expand_optimizers(words) == [
        *("--model.optimizer", "lit_models.optimization.sam.SAM", "--model.optimizer.base=torch.optim.Adam"),
        *("--model.lr_scheduler", "lit_models.optimization.schedules.OneCycle", "--x", "SAM"),
    ]
    assert expand_classes(["--model.optimizer", "Lion"])[1].endswith("lion.Lion")


def test_yaml_may_leave_the_file_out() -> None:
    config = {"optimizer": {"class_path": "lit_models.optimization.Muon", "init_args": {"lr": 1}}}
    assert in_yaml(config)["optimizer"]["class_path"] == "lit_models.optimization.muon.Muon"
    assert in_full("lit_models.optimization.Nobody") == "lit_models.optimization.Nobody"
