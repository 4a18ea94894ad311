"""Translation beside transformers, and batches by tokens."""

import pytest

from scripts.evidence import bench
from scripts.evidence.benches import token_batches
from scripts.evidence.benches.workloads import Clock


@pytest.mark.slow
def test_both_sides_translate_and_train_alike_and_batches_by_tokens_are_of_the_same_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(token_batches, "NEW", 6)
    monkeypatch.setattr(token_batches, "TEXTS", ["--data.train_size", "200", *token_batches.TEXTS[2:]])
    token_batches.models.cache_clear()
    assert token_batches.beams(2, "ours") == token_batches.beams(2, "transformers")
    for side in ("ours", "transformers"):
        clock = Clock(steps=1, warmup=1)
        token_batches.step(clock, side)
        assert (clock.count, clock.samples) == (2, token_batches.ROWS)
    assert token_batches.beams(2, "ours") == token_batches.beams(2, "transformers")  # the weights are what they were
    token_batches.models.cache_clear()
    clock = Clock(steps=2, warmup=1)
    with bench.quiet():
        token_batches.train(clock, "tokens")
    assert clock.count == 3
