"""DeepFM: the battery, and its two parts."""

import torch
from torch import Tensor

from lit_models.recommender.deepfm import DeepFM, LitDeepFM
from lit_models.recommender.fm import FM
from tests.battery import ADAM, TaskBattery


class TestLitDeepFM(TaskBattery):
    parameters = 1 + 20 + 20 * 3 + (12 * 6 + 6) + (6 + 1)

    def model(self) -> LitDeepFM:
        return LitDeepFM(num_values=20, num_fields=4, embed_size=3, mlp_sizes=(6,), optimizer=ADAM)

    def batch(self) -> tuple[Tensor, Tensor]:
        x = torch.arange(8)[:, None] % torch.tensor([2, 3, 5, 5]) + torch.tensor([0, 4, 8, 14])
        return x, torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])


def test_without_its_network_it_is_a_factorization_machine() -> None:
    deep, plain = DeepFM(20, 4, embed_size=3).eval(), FM(20, embed_size=3)
    plain.load_state_dict({name: p for name, p in deep.state_dict().items() if not name.startswith("mlp")})
    x = torch.tensor([[0, 5, 9, 14], [1, 4, 8, 19]])
    logits = deep(x) - deep.mlp(deep.vector(x).flatten(1))[:, 0]
    torch.testing.assert_close(logits, plain(x))
