"""Adversarial training on images: pixels, measures, generation."""

from typing import Any

import pytest
import torch

from common.generation import Generates
from common.messages import UserError
from lit_models.functional.generated_pictures import kernel_distance, kernel_distance_error
from lit_models.gan.dcgan import LitDCGAN


def small(**options: Any) -> LitDCGAN:
    torch.manual_seed(0)
    return LitDCGAN(in_channels=1, image_size=16, latent_size=8, width=2, **options)


def test_the_networks_see_images_between_minus_one_and_one() -> None:
    x, conditions = small().real((torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1), torch.arange(3)))
    assert x.flatten().tolist() == [-1, 0, 1] and conditions == ()
    assert len(small(conditional=True).real((torch.zeros(3, 1, 16, 16), torch.arange(3)))[1]) == 1


def test_images_are_mirrored_in_training_only() -> None:
    model = small(flip=True)
    x = torch.rand(64, 1, 16, 16)
    assert torch.equal(model.eval().real((x,))[0], 2 * x - 1)
    mirrored = (model.train().real((x,))[0] == 2 * x.flip(-1) - 1).flatten(1).all(1)
    assert 16 < int(mirrored.sum()) < 48


@pytest.mark.parametrize("count", [8, 19, 20, 57])
def test_the_kernel_distance_has_an_error_where_there_are_enough_images(count: int) -> None:
    real, fake = torch.randn(2, count, 6, generator=torch.Generator().manual_seed(0))
    logits = torch.zeros(count)
    found = small().measures({"real": real, "fake": fake, "real_logits": logits, "fake_logits": logits})
    torch.testing.assert_close(found["kid"], kernel_distance(real, fake))
    assert ("kid_error" in found) == (count >= 20)
    if count >= 20:
        torch.testing.assert_close(found["kid_error"], kernel_distance_error(real, fake))


def test_generation_of_one_seed_is_the_same_and_leaves_the_mode() -> None:
    model = small().train()
    assert isinstance(model, Generates)
    one, two, other = (next(model.generate(None, [], samples=9, seed=s)).image for s in (3, 3, 4))
    assert one.tobytes() == two.tobytes() != other.tobytes()
    assert model.net.generator.training  # type: ignore[union-attr]


def test_single_pictures_and_an_animation() -> None:
    found = list(small().generate(None, [], samples=3, grid=False, interpolate=True))
    assert [output.name for output in found] == ["sample_0_0", "sample_0_1", "sample_0_2", "interpolation_0"]
    assert len(found[-1].frames) == 40


def test_an_animation_of_fewer_classes_than_pictures_repeats_them() -> None:
    frames = list(small(conditional=True, num_classes=3).eval().interpolation(0, stops=2, steps=1))
    assert len(frames) == 2


def test_an_animation_begins_with_noise_of_the_same_length_everywhere() -> None:
    """On a great circle: linear interpolation would pass through short noise, which the generator never saw."""
    model, norms = small().eval(), []
    forward = model.net.generator.forward  # type: ignore[union-attr]
    model.net.generator.forward = lambda z: norms.append(z.norm()) or forward(z)  # type: ignore[union-attr,method-assign,assignment]
    list(model.interpolation(0, stops=2, steps=8))
    middle, ends = norms[4], (norms[0] ** 2 / 2 + norms[8] ** 2 / 2).sqrt()
    assert float(middle / ends) == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize(
    ("prompts", "options", "says"), [(["a"], {}, "--prompt"), ([], {"samples": 0}, "--samples is 0")]
)
def test_what_cannot_be_generated_is_said(prompts: list[str], options: dict[str, int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        list(small().generate(None, prompts, **options))


def test_sure_counts_confident_samples_and_classes_the_frequent_ones() -> None:
    """Of 100 samples 60 are surely of class 0, 30 of class 1, and 10 are undecided."""
    logits = torch.zeros(100, 3)
    logits[:60, 0], logits[60:90, 1] = 9.0, 9.0
    x, zero = torch.randn(100, 4), torch.zeros(100)
    rows = {
        "real": x,
        "fake": x,
        "real_logits": zero,
        "fake_logits": zero,
        "fake_classes": logits,
        "real_classes": logits[:60],
    }
    found = small().measures(rows)
    assert float(found["sure"]) == pytest.approx(0.9) and int(found["classes"]) == 2
    assert float(found["sure_real"]) == 1
    assert float(found["loss"]) == pytest.approx(0, abs=1e-6)


def test_digits_are_measured_by_a_classifier_that_took_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(digits=True)
    assert model.features(torch.zeros(2, 1, 16, 16))[1] is None  # no data says that they are digits
    monkeypatch.setattr(type(model), "data_attribute", lambda self, name, default=None: name == "digits")
    features, logits = model.features(torch.zeros(2, 1, 16, 16))
    assert features.shape == (2, 84) and logits is not None and logits.shape == (2, 10)
    assert not [name for name in model.state_dict() if "lenet" in name]
