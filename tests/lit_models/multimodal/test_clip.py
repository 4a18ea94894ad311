"""CLIP: the battery, what its towers see, the bound of its temperature, its measures, its threshold."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules.vision.captioned_digits import CaptionedDigits
from lit_models.functional.contrastive import contrastive_loss
from lit_models.multimodal.clip import CLIP, LitCLIP
from tests.battery import ADAM, TaskBattery
from tests.small import small_trainer

SMALL: dict[str, Any] = {"image_size": 8, "patch_size": 4, "vocab_size": 12, "hidden_size": 16, "num_layers": 1}


class TestLitCLIP(TaskBattery):
    layer = 4 * 16 * 16 + 4 * 16 + 2 * 16 * 64 + 64 + 16 + 4 * 16
    # patches, class token and positions; three norms of images and texts; projections; tokens; scale
    parameters = 16 * 16 + 6 * 16 + 3 * 32 + 2 * 16 * 64 + 12 * 16 + 4 * 16 + 1 + 2 * layer

    def model(self) -> LitCLIP:
        return LitCLIP(optimizer=ADAM, **SMALL)

    def batch(self) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        texts = torch.tensor([[1, 3 + i, 11 - i, 2] for i in range(4)])
        return torch.rand(4, 1, 8, 8), texts, torch.zeros(4, 3, dtype=torch.long)

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        return model(batch[0], self.batch()[1].to(batch[1]))  # the images alone are permuted


def test_a_text_ends_at_its_end_token_and_its_order_matters() -> None:
    net = CLIP(**SMALL, seq_len=6).eval()
    texts = torch.tensor([[1, 3, 4, 2, 0, 0], [1, 3, 4, 2, 5, 6], [1, 4, 3, 2, 0, 0]])
    _, found, _ = net(torch.rand(1, 1, 8, 8), texts)
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[0], found[2], atol=1e-4)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    with pytest.raises(ValueError, match="not a multiple of patch_size"):
        CLIP(image_size=9, patch_size=4)


def small_data() -> CaptionedDigits:
    sizes: dict[str, int] = {"train_size": 32, "val_size": 16, "test_size": 24, "image_size": 8, "batch_size": 16}
    return CaptionedDigits(["en", "sw"], **sizes)


def small_model() -> LitCLIP:
    torch.manual_seed(0)
    return LitCLIP(optimizer=ADAM, **SMALL | {"vocab_size": 128})


def test_the_loss_is_that_of_the_batch_and_the_scale_stays_below_its_bound(tmp_path: Path) -> None:
    model, data = small_model(), small_data()
    model.net.log_scale.data.fill_(9.0)
    data.setup("fit")
    seen: list[Tensor] = []
    step = model.training_step
    model.training_step = lambda *a: seen.append(step(*a)) or seen[-1]  # type: ignore[method-assign,func-returns-value]
    before = {name: p.clone() for name, p in model.net.state_dict().items()}
    small_trainer(tmp_path, max_steps=1, limit_val_batches=0).fit(model, data)
    loader = data.train_dataloader()
    x, texts, _ = data.transform(next(iter(loader)))
    net = small_model().net
    net.load_state_dict(before | {"log_scale": torch.tensor([math.log(100)])})
    torch.testing.assert_close(seen[0].detach(), contrastive_loss(*net(x, texts)).detach())


def test_each_row_is_compared_with_the_captions_of_its_language(tmp_path: Path) -> None:
    model, data = small_model(), small_data()
    (found,) = small_trainer(tmp_path).test(model, data, verbose=False)
    x, _, labels = data.transform(data.splits["test"])
    with torch.no_grad():
        each = [model.eval()(x[i : i + 1], data.captions[labels[i, 0]])[0] for i in range(len(x))]
    right = (torch.stack(each).argmax(1) == labels[:, 1]).float()
    assert found["test/acc"] == pytest.approx(float(right.mean()))
    for k, kind in enumerate(("seen", "pairs", "numbers")):
        assert found[f"test/acc_{kind}"] == pytest.approx(float(right[labels[:, 2] == k].mean()))
    own = torch.stack(each).log_softmax(1)[torch.arange(len(x)), labels[:, 1]]
    assert found["test/loss"] == pytest.approx(-float(own.mean()), rel=1e-4)
