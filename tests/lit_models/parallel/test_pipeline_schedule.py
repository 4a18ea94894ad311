"""The order of a pipeline's stages, what they keep, and how long they wait."""

import pytest

from lit_models.parallel.pipeline_schedule import idle_fraction, kept, order, timeline


def test_the_orders_of_three_stages_and_four_micro_batches() -> None:
    def text(kind: str, stage: int) -> str:
        return " ".join(f"{what}{k}" for what, k in order(kind, stage, 3, 4))  # type: ignore[arg-type]

    assert text("GPipe", 1) == "F0 F1 F2 F3 B0 B1 B2 B3"
    assert text("1F1B", 0) == "F0 F1 F2 B0 F3 B1 B2 B3"
    assert text("1F1B", 1) == "F0 F1 B0 F2 B1 F3 B2 B3"
    assert text("1F1B", 2) == "F0 B0 F1 B1 F2 B2 F3 B3"


def test_one_forward_one_backward_keeps_fewer_activations() -> None:
    assert [kept(order("GPipe", s, 4, 8)) for s in range(4)] == [8, 8, 8, 8]
    assert [kept(order("1F1B", s, 4, 8)) for s in range(4)] == [4, 3, 2, 1]


@pytest.mark.parametrize("kind", ["GPipe", "1F1B"])
@pytest.mark.parametrize(("stages", "microbatches"), [(1, 3), (2, 4), (3, 3), (4, 8), (4, 2)])
def test_stages_are_idle_while_the_pipeline_fills_and_drains(kind: str, stages: int, microbatches: int) -> None:
    slots = timeline(kind, stages, microbatches, forward=1.0, backward=2.0)  # type: ignore[arg-type]
    expected = (stages - 1) / (microbatches + stages - 1)
    assert idle_fraction(slots) == pytest.approx(expected, abs=1e-12)
    for stage, actions in enumerate(slots):
        for (what, k), (begin, _) in actions.items():
            before = slots[stage - 1][what, k][1] if what == "F" and stage else 0.0
            after = slots[stage + 1][what, k][1] if what == "B" and stage + 1 < stages else 0.0
            assert begin >= max(before, after)
