"""Adversarial training with styles: path length steps, truncation, mixed styles, resume."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from common.messages import UserError
from lit_models.gan.stylegan2 import LitStyleGAN2
from tests.small import small_trainer

SMALL: dict[str, Any] = {"image_size": 8, "latent_size": 8, "mapping_layers": 1, "width": 32, "max_channels": 4}


def model(**options: Any) -> LitStyleGAN2:
    torch.manual_seed(0)
    return LitStyleGAN2(**SMALL, optimizer=partial(torch.optim.Adam, lr=0.01, betas=(0.5, 0.99)), **options)


def fit(folder: Path, one: LitStyleGAN2, batches: int = 5, **settings: Any) -> Any:
    rows: Any = [(torch.rand(4, 3, 8, 8),) for _ in range(batches)]
    trainer = small_trainer(folder, max_epochs=1, limit_val_batches=0, **settings)
    trainer.fit(one, DataLoader(rows, batch_size=None))
    return trainer


def test_the_path_length_is_a_step_of_its_own_every_fourth_time(tmp_path: Path) -> None:
    one = model(path_weight=2.0, r1_gamma=1.0, r1_interval=5)
    trainer = fit(tmp_path, one)
    assert trainer.global_step == 2 * 5 + 1 + 2  # of 5 batches R1 in the first, path length in the first and fifth
    rate, betas = (trainer.optimizers[0].param_groups[0][name] for name in ("lr", "betas"))
    assert rate == pytest.approx(0.01 * 4 / 5) and betas[1] == pytest.approx(0.99 ** (4 / 5))
    assert float(one.path_mean) > 0 and "path_mean" in one.state_dict()


def test_a_penalty_every_fourth_step_is_weighted_by_four() -> None:
    penalties: list[float] = []
    for interval in (1, 4):
        one = model(path_weight=2.0, path_interval=interval)
        one.all_gather = lambda value: value  # type: ignore[method-assign,assignment]
        one.take_step = lambda optimizer, rows, loss_of: penalties.append(float(loss_of(slice(0, rows))))
        one.regularize_generator(None, 4)
    assert penalties[1] == pytest.approx(4 * penalties[0]) and penalties[0] > 0


def test_without_it_the_generator_s_rate_is_its_own(tmp_path: Path) -> None:
    one = model()
    trainer = fit(tmp_path, one, 2)
    assert trainer.global_step == 4 and trainer.optimizers[0].param_groups[0]["lr"] == 0.01
    assert float(one.path_mean) == 0


def test_the_published_gan_former_s_formula_is_another(tmp_path: Path) -> None:
    ends = []
    for upstream in (False, True):
        one = model(path_weight=2.0, path_length_upstream=upstream)
        fit(tmp_path, one, 1)
        ends.append(float(one.path_mean))
    assert ends[0] != ends[1] and min(ends) > 0


def test_truncation_to_zero_makes_one_image_and_mixing_a_table() -> None:
    one = model().eval()
    with pytest.raises(UserError, match="--truncation nan: give a number"):
        list(one.generate(None, [], truncation=math.nan))
    found = list(one.generate(None, [], samples=4, truncation=0.0, mixing=True, grid=False))
    pictures = [output.image.tobytes() for output in found[:4]]
    assert len(set(pictures)) == 1 and found[-1].name == "mixing_0"
    assert found[-1].image.size == (7 * 9 * 8 - 8, 7 * 9 * 8 - 8)  # six rows and columns, and their sources
    whole = list(one.generate(None, [], samples=4, grid=False))
    assert len({output.image.tobytes() for output in whole}) == 4


def test_an_image_of_the_table_has_the_coarse_styles_of_its_row_and_the_fine_ones_of_its_column() -> None:
    one = model().eval()
    seen: list[torch.Tensor] = []
    generator: Any = one.net.generator
    images = generator.images

    def watched(ws: torch.Tensor) -> torch.Tensor:
        seen.append(ws)
        return images(ws)

    generator.images = watched
    one.mixing_table(0, count=2)
    sources, mixed = seen
    assert torch.equal(mixed[1, :2], sources[0, :2]) and torch.equal(mixed[1, 2:], sources[3, 2:])


def test_an_interval_below_one_is_refused() -> None:
    with pytest.raises(UserError, match="path_interval is 0"):
        model(path_interval=0)


def test_pure_half_precision_is_refused_with_path_lengths(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"bf16-true is too coarse for model\.path_weight: give bf16-mixed"):
        fit(tmp_path, model(path_weight=2.0), precision="bf16-true")
