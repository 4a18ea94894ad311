"""The benches of diffusion and adversarial networks: every side does the steps that it is asked for."""

from typing import Any

import pytest

from scripts.evidence import bench
from scripts.evidence.benches import diffusion, gan
from scripts.evidence.benches.workloads import Clock


@pytest.mark.parametrize("module", [diffusion, gan])
@pytest.mark.slow
def test_every_side_of_the_generative_parts_does_the_steps_it_is_asked_for(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(diffusion, "DDIM_STEPS", 2)
    for sides, _ in module.cases().values():
        for side in sides.values():
            clock = Clock(steps=1, warmup=1)
            with bench.quiet():
                side(clock)
            assert clock.count == 2 and clock.seconds > 0


def test_modulated_convolutions_and_the_bare_toy_loop_count_their_samples() -> None:
    for side, samples in (*((s, gan.SAMPLES) for s in gan.cases()["modulated convolution"][0].values()),
                          (gan.bare_points, gan.TOY_BATCH)):  # fmt: skip
        clock = Clock(steps=1, warmup=1)
        side(clock)
        assert (clock.count, clock.samples) == (2, samples)
