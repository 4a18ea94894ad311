"""Expert parallelism in one process; ``tests/distributed/test_expert_parallel.py`` has two."""

from functools import partial

import pytest
import torch

from common.messages import UserError
from lit_models.layers.feed_forward import FeedForward
from lit_models.layers.mixture_of_experts import MixtureOfExperts
from lit_models.moe import expert_parallel
from lit_models.moe.expert_parallel import ExpertParallel


@pytest.mark.parametrize("top_k", [1, 2])
def test_one_process_computes_what_the_mixture_does(top_k: int) -> None:
    torch.manual_seed(0)
    mixture = MixtureOfExperts(8, 4, partial(FeedForward, 8, 16), top_k, capacity_factor=0.5).double()
    x = torch.randn(2, 9, 8, dtype=torch.float64)
    divided = ExpertParallel(mixture)
    torch.testing.assert_close(divided(x), mixture(x))
    torch.testing.assert_close(divided.eval()(x), mixture.eval()(x))


def test_experts_that_cannot_be_shared_evenly_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expert_parallel, "world", lambda: 2)
    with pytest.raises(UserError, match=r"3 experts cannot be shared evenly by 2 processes: give model.num_experts a"):
        ExpertParallel(MixtureOfExperts(8, 3, partial(FeedForward, 8, 16)))
