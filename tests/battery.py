"""What every model of a task must do, written once. A model's test subclasses the task's battery and supplies an
instance.

    class TestLitLeNet(ClassifierBattery):
        parameters = 61_706

        def model(self) -> LitLeNet: ...
        def batch(self) -> tuple[Tensor, Tensor]: ...

Each test takes about a tenth of a second on one thread.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch import Tensor
from torch.utils.data import DataLoader

from lit_models.tasks.classifier import Classifier
from lit_models.tasks.language_model import LanguageModel
from lit_models.tasks.ranker import Ranker
from lit_models.tasks.regressor import Regressor
from lit_models.tasks.seq2seq import Seq2Seq

ADAM = partial(torch.optim.Adam, lr=1e-2)


class TaskBattery:
    """Checks for any task whose batch is ``(x, ..., y)`` with the samples along the first dimension."""

    parameters: int  #: exact number of trainable parameters of ``model()``
    overfit_steps = 150
    overfit_loss = 0.1  #: what the training loss of one batch must fall below

    def model(self) -> Any:
        raise NotImplementedError

    def batch(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def outputs(self, model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        """What the network answers to a batch: (B, ...)."""
        return model(*batch[:-1])

    def trainer(self, folder: Path, **settings: Any) -> Trainer:
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        return Trainer(default_root_dir=folder, enable_checkpointing=False, **(quiet | settings))

    def fit_one_batch(self, folder: Path, model: LightningModule, steps: int, *callbacks: Callback) -> Trainer:
        batch = self.batch()
        trainer = self.trainer(folder, max_steps=steps, max_epochs=-1, callbacks=list(callbacks))
        trainer.fit(model, DataLoader([batch], batch_size=None))
        return trainer

    def test_parameter_count_is_exact(self) -> None:
        assert sum(p.numel() for p in self.model().parameters() if p.requires_grad) == self.parameters

    def test_every_parameter_gets_a_gradient(self) -> None:
        model, (*inputs, _) = self.model(), self.batch()
        model(*inputs).square().sum().backward()
        silent = [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
        assert not silent

    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        learned = EarlyStopping("train/loss", patience=self.overfit_steps, stopping_threshold=self.overfit_loss)
        trainer = self.fit_one_batch(tmp_path, self.model(), self.overfit_steps, learned)
        assert float(trainer.callback_metrics["train/loss"]) < self.overfit_loss

    def test_evaluation_is_deterministic(self) -> None:
        model, batch = self.model().eval(), self.batch()
        assert torch.equal(self.outputs(model, batch), self.outputs(model, batch))

    def test_permuting_the_batch_permutes_the_output(self) -> None:
        model, batch = self.model().eval().double(), self.batch()
        batch = tuple(t.double() if t.is_floating_point() else t for t in batch)
        order = torch.randperm(len(batch[0]))
        shuffled = tuple(t[order] for t in batch)
        torch.testing.assert_close(self.outputs(model, shuffled), self.outputs(model, batch)[order])

    def test_checkpoint_round_trip_with_weights_only(self, tmp_path: Path) -> None:
        model = self.model()
        trainer = self.fit_one_batch(tmp_path, model, 1)
        trainer.save_checkpoint(tmp_path / "a.ckpt")
        content = torch.load(tmp_path / "a.ckpt", weights_only=True)
        assert content["global_step"] >= 1
        again = type(model).load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
        batch = self.batch()
        assert torch.equal(self.outputs(again.eval(), batch), self.outputs(model.eval(), batch))


class ClassifierBattery(TaskBattery):
    """A ``Classifier``: batch (x, y)."""

    def model(self) -> Classifier:
        raise NotImplementedError

    def test_output_is_one_row_of_logits_for_each_sample(self) -> None:
        model, batch = self.model(), self.batch()
        logits = self.outputs(model, batch)
        assert logits.shape == (len(batch[0]), model.hparams["num_classes"])

    def test_prediction_is_a_distribution(self) -> None:
        predicted = self.model().eval().predict_step(self.batch(), 0)
        torch.testing.assert_close(predicted["probabilities"].sum(1), torch.ones(len(self.batch()[0])))

    def test_loss_is_the_cross_entropy_of_classes_and_of_distributions(self, tmp_path: Path) -> None:
        """Of a training step and of a test, each against the formula, which the task has no part in."""
        model, (x, y) = self.model(), self.batch()
        classes: int = model.hparams["num_classes"]
        certain = torch.nn.functional.one_hot(y, classes).float()
        model.eval()
        log_p = self.outputs(model, (x, y)).detach().log_softmax(1)
        for target, distribution in ((y, certain), (soft := 0.7 * certain + 0.3 / classes, soft)):
            loss = DataLoader([(x, target)], batch_size=None)  # type: ignore[arg-type]
            (found,) = self.trainer(tmp_path).test(model, loss, verbose=False)
            expected = -(distribution * log_p).sum(1).mean()
            torch.testing.assert_close(torch.tensor(found["test/loss"]), expected, rtol=1e-4, atol=1e-6)


class RegressorBattery(TaskBattery):
    """A ``Regressor``: batch (x, y)."""

    overfit_loss = 0.02

    def model(self) -> Regressor:
        raise NotImplementedError

    def test_output_is_one_row_for_each_sample(self) -> None:
        model, batch = self.model(), self.batch()
        assert self.outputs(model, batch).shape[0] == len(batch[0])
        assert self.outputs(model, batch).ndim == 2


class LanguageModelBattery(TaskBattery):
    """A ``LanguageModel``: batch (tokens, targets), both (B, T)."""

    def model(self) -> LanguageModel:
        raise NotImplementedError

    def test_output_is_logits_for_each_token(self) -> None:
        model, (tokens, targets) = self.model(), self.batch()
        assert model(tokens).shape == (*targets.shape, model.vocab_size)

    def test_the_future_does_not_change_the_past(self) -> None:
        model, (tokens, _) = self.model().eval().double(), self.batch()
        for t in range(1, tokens.shape[1]):
            other = tokens.clone()
            other[:, t:] = (other[:, t:] + 1) % model.vocab_size
            before, after = model(tokens), model(other)
            torch.testing.assert_close(before[:, :t], after[:, :t])
            assert not torch.allclose(before[:, t:], after[:, t:])

    def test_padding_does_not_change_the_loss(self) -> None:
        model, (tokens, targets) = self.model().eval().double(), self.batch()
        wide = torch.cat([tokens, torch.zeros_like(tokens[:, :1])], 1)
        padded = torch.cat([targets, torch.full_like(targets[:, :1], model.pad_id)], 1)
        if wide.shape[1] > self.longest:
            wide, padded, tokens, targets = wide[:, 1:], padded[:, 1:], tokens[:, 1:], targets[:, 1:]
        torch.testing.assert_close(model.mean_loss((wide, padded), "val"), model.mean_loss((tokens, targets), "val"))

    longest = 1 << 30  #: the network's context, where it has one

    def test_perplexity_is_exp_of_the_mean_over_all_tokens(self, tmp_path: Path) -> None:
        model, (tokens, targets) = self.model(), self.batch()
        targets = targets.clone()
        targets[0, 1:] = model.pad_id  # the batches have different numbers of tokens
        rows = [(tokens[i : i + 1], targets[i : i + 1]) for i in range(len(tokens))]
        trainer = self.trainer(tmp_path)
        (found,) = trainer.test(model, DataLoader(rows, batch_size=None), verbose=False)
        loss = model.eval().mean_loss((tokens, targets), "other")[0].exp().item()
        assert abs(found["test/perplexity"] - loss) < 1e-4 * loss


class Seq2SeqBattery(TaskBattery):
    """A ``Seq2Seq``: batch (source, source_length, target_in, target_out), with sources of different lengths."""

    overfit_steps = 100
    overfit_loss = 0.5  # of the mean over all steps, the first ones too

    def model(self) -> Seq2Seq:
        raise NotImplementedError

    def test_output_is_logits_for_each_target_token(self) -> None:
        model, batch = self.model(), self.batch()
        assert self.outputs(model, batch).shape[:2] == batch[3].shape

    def test_the_future_does_not_change_the_past(self) -> None:
        model, (source, length, target_in, _) = self.model().eval().double(), self.batch()
        for t in range(1, target_in.shape[1]):
            other = target_in.clone()
            other[:, t:] = 3 + (other[:, t:] + 1) % 4
            before, after = model(source, length, target_in), model(source, length, other)
            torch.testing.assert_close(before[:, :t], after[:, :t])
            assert not torch.allclose(before[:, t:], after[:, t:])

    def test_padding_does_not_change_the_answer(self) -> None:
        model, (source, length, target_in, _) = self.model().eval().double(), self.batch()
        assert int(length.min()) < source.shape[1]
        wide = torch.nn.functional.pad(source, (0, 2), value=model.pad_id)
        for i in range(len(source)):  # what stands behind a source's end: nothing, padding, anything
            wide[i, int(length[i]) :] = 3
        torch.testing.assert_close(model(wide, length, target_in), model(source, length, target_in))

    def test_padding_is_left_out_of_the_loss(self) -> None:
        model, (source, length, *targets) = self.model().eval().double(), self.batch()
        wide = [torch.nn.functional.pad(t, (0, 1), value=model.pad_id) for t in targets]
        torch.testing.assert_close(
            model.mean_loss((source, length, *wide)), model.mean_loss((source, length, *targets))
        )

    def test_step_by_step_equals_all_at_once(self) -> None:
        model, (source, length, target_in, _) = self.model().eval().double(), self.batch()
        memory, state, steps = model.net.encode(source, length), None, []  # type: ignore[operator]
        for t in range(target_in.shape[1]):
            logits, state = model.net.decode(target_in[:, t : t + 1], memory, state)  # type: ignore[operator]
            steps.append(logits)
        torch.testing.assert_close(torch.cat(steps, 1), model(source, length, target_in))

    def test_a_beam_of_one_is_greedy(self) -> None:
        model, (source, length, *_) = self.model().eval(), self.batch()
        greedy = model.generate_tokens(source, length, 8).tolist()
        beams = [best[0].tokens for best in model.hypotheses(source, length, 1, max_length=8)]
        assert beams == [[i for i in row if i != model.pad_id] for row in greedy]

    def test_overfits_one_batch(self, tmp_path: Path) -> None:
        """And writes what it has learned by heart."""
        model, batch = self.model(), self.batch()
        trainer = self.fit_one_batch(tmp_path, model, self.overfit_steps)
        assert float(trainer.callback_metrics["train/loss"]) < self.overfit_loss
        (found,) = trainer.test(model, DataLoader([batch], batch_size=None), verbose=False)
        assert found["test/exact"] == 1.0


class RankerBattery:
    """A ``Ranker``: batch (users, history, targets). ``model()`` has 12 users and 15 items."""

    parameters: int  #: exact number of trainable parameters of ``model()``
    batches = "pairs"  #: the datamodule's training rows
    learns = True  #: whether a few steps raise NDCG above that of the start

    def model(self) -> Ranker:
        raise NotImplementedError

    def inputs(self) -> tuple[Tensor, Tensor]:
        """Users (4,), histories (4, 3) of 15 items, padded in front."""
        return torch.tensor([0, 3, 7, 11]), torch.tensor([[15, 15, 1], [15, 4, 2], [8, 0, 9], [3, 12, 7]])

    def fitted(self, folder: Path, epochs: int) -> tuple[Ranker, Any, Trainer]:
        from datamodules.ratings.planted_films import PlantedFilms

        data = PlantedFilms(12, 15, 5, 8, batches=self.batches, batch_size=6)  # type: ignore[arg-type]
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
        trainer = Trainer(default_root_dir=folder, enable_checkpointing=False, max_epochs=epochs, **quiet)  # type: ignore[arg-type]
        model = self.model()
        trainer.fit(model, datamodule=data)
        return model, data, trainer

    def test_parameter_count_is_exact(self) -> None:
        assert sum(p.numel() for p in self.model().parameters() if p.requires_grad) == self.parameters

    def test_scores_of_chosen_items_are_those_of_all_items(self) -> None:
        model, (users, history) = self.model().eval(), self.inputs()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        items = torch.tensor([[0, 14, 5], [1, 1, 2], [9, 3, 4], [14, 0, 13]])
        every = model(users, history)
        assert every.shape == (4, 15)
        torch.testing.assert_close(model(users, history, items), every.gather(1, items))

    def test_padding_and_the_other_rows_do_not_change_a_score(self) -> None:
        model, (users, history) = self.model().eval().double(), self.inputs()
        every = model(users, history)
        wide = torch.cat([torch.full((4, 2), 15), history], 1)
        torch.testing.assert_close(model(users, wide), every)
        order = torch.tensor([2, 0, 3, 1])
        torch.testing.assert_close(model(users[order], history[order]), every[order])
        torch.testing.assert_close(model(users[:1], history[:1]), every[:1])

    def test_training_lowers_the_loss_and_new_users_get_unseen_items(self, tmp_path: Path) -> None:
        model, data, trainer = self.fitted(tmp_path, 12)
        first = float(self.fitted(tmp_path, 1)[2].callback_metrics["train/loss"])
        assert float(trainer.callback_metrics["train/loss"]) < first
        (found,) = trainer.test(model, datamodule=data, verbose=False)
        assert 0 < found["test/ndcg@10"] <= found["test/hit@10"] <= 1 and 0 < found["test/coverage@10"] <= 1
        history = torch.tensor([[15, 3, 4], [1, 2, 5]])
        model.eval()
        with torch.no_grad():
            known_and_new = model.predict_step((torch.tensor([2, 12]), history, history), 0)
        for row, seen in zip(known_and_new, history.tolist(), strict=True):
            assert len(row["items"]) == 10 and not set(row["items"].tolist()) & set(seen)
            assert bool((row["scores"].diff() <= 0).all()) and bool(torch.isfinite(row["scores"]).all())

    def test_checkpoint_round_trip_with_weights_only(self, tmp_path: Path) -> None:
        model, _, trainer = self.fitted(tmp_path, 1)
        trainer.save_checkpoint(tmp_path / "a.ckpt")
        again = type(model).load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True)
        users, history = self.inputs()
        assert torch.equal(again.eval()(users, history), model.eval()(users, history))
        assert torch.equal(again.positives, model.positives) and len(again.positives)
