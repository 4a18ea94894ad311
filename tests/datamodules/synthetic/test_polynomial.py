"""The noisy cubic: the rule is the stated one, the residual is the noise, and only the data's seed changes it."""

import torch

from datamodules.synthetic.polynomial import NoisyPolynomial


def test_the_rule_is_the_books_cubic() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0])
    by_hand = 5 + 1.2 * x - 3.4 * x**2 / 2 + 5.6 * x**3 / 6
    torch.testing.assert_close(NoisyPolynomial().rule(x), by_hand)


def test_what_the_rule_leaves_is_the_noise() -> None:
    data = NoisyPolynomial(noise=0.5, num_train=20_000)
    x, y = data.load("fit")["train"]
    assert abs(float((y - data.rule(x)[:, 0]).std()) - 0.5) < 0.01
    assert float(x.abs().max()) <= 2 and abs(float(x.mean())) < 0.03


def test_only_the_datas_own_seed_changes_it() -> None:
    torch.manual_seed(1)
    first = NoisyPolynomial().load("fit")["train"]
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, NoisyPolynomial().load("fit")["train"], strict=True))
    assert not torch.equal(first[0], NoisyPolynomial(data_seed=1).load("fit")["train"][0])


def test_splits_have_their_sizes() -> None:
    data = NoisyPolynomial(num_train=5, num_val=6, num_test=7)
    data.setup("fit")
    assert [len(data.splits[name][0]) for name in ("train", "val", "test", "predict")] == [5, 6, 7, 7]
