"""A checkpoint is saved and loaded as a run does it, and timed."""

from scripts.evidence.benches import checkpoints


def test_a_checkpoint_is_saved_as_a_run_saves_it_and_loaded_into_network_and_optimizer() -> None:
    (found,) = checkpoints.measure(2, lambda line: None, (2500,))
    assert found["parameters"] == 2500 and found["mb"] > 3 * 4 * 2500 / 1e6
    assert all(len(found[name]) == 2 and min(found[name]) > 0 for name in ("save", "torch.save", "load"))
