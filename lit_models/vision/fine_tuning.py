"""Fine-tuning: a network that has learned other classes learns new ones from a few pictures.

Yosinski et al. 2014, "How transferable are features in deep neural networks?"; gradual thawing: Howard and Ruder 2018,
"Universal Language Model Fine-tuning for Text Classification", section 3.3. D2L 14.2 and 14.14.

The layers before the head are called features. Three ways, each an argument:

- ``feature_rate: 0.1``: features learn slower than the new head, in parameter groups of their own. D2L 14.2.
- ``freeze_features: true``: the head only. D2L 14.14.
- ``thaw_epochs: 2``: frozen at first; every two epochs one more stage joins the training, the last one first.

Departs from the book: normalization layers of frozen features stay in evaluation mode. In 14.14 they do not, so that
their running statistics drift to the new pictures although no weight changes, and validation is computed in training
mode.

    dive fit vision/fine_tuning                                      two shapes, 20 pictures each, offline
    dive fit vision/fine_tuning --model.pretrain_epochs 0            from scratch
    dive fit vision/fine_tuning --data ImageFolder --data.root DIR --model.weights resnet18.pth

The numbers they reach are in RESULTS.md.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.messages import UserError, note
from lit_models.cnn.resnet import ResNet
from lit_models.layers.pretrained import put_weights
from lit_models.tasks.image_classifier import ImageClassifier, feature_layers
from lit_models.tasks.processes import of_first_process
from lit_models.tasks.trains import parameters_of, trains

SOURCE_RATE, SOURCE_BATCH = 0.01, 64  # of AdamW, where the features are trained here


@trains(ResNet)
class LitFineTuning(ImageClassifier):
    """A ResNet whose features come from other classes.

    Args:
        feature_rate: Learning rate of the features, as a fraction of the head's.
        thaw_epochs: Features are frozen at first; each time after so many epochs one more stage, the one nearest to the
            head first, joins the training. 0: all take part from the start.
        pretrain_epochs: Without ``weights``, the features are first trained for so many epochs on the data's ``source``
            of other classes, from a fixed seed, as if they were published. 0: training starts from scratch.
        **task: See ``ImageClassifier``.

    Raises:
        UserError: ``thaw_epochs`` with ``freeze_features``; ``pretrain_epochs`` with data that has no source.
    """

    def __init__(self, feature_rate: float = 1.0, thaw_epochs: int = 0, pretrain_epochs: int = 0, **task: Any) -> None:
        super().__init__(**task)
        if thaw_epochs and self.freeze_features:
            raise UserError("model.freeze_features keeps frozen what model.thaw_epochs thaws: give one of them")
        self.feature_rate, self.thaw_epochs, self.pretrain_epochs = feature_rate, thaw_epochs, pretrain_epochs
        self.weights_wanted = self.weights_wanted or pretrain_epochs > 0

    # -- what learns, and how fast ----------------------------------------------------------------------------------

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head's parameters with the optimizer's rate, the features' with ``feature_rate`` times it."""
        groups = super().parameter_groups()
        if self.feature_rate == 1:
            return groups
        features = {id(p) for layer in feature_layers(self.net) for p in layer.parameters()}
        rate = self.optimizer([dict(group) for group in groups]).defaults["lr"]  # made for its default only
        split: list[dict[str, Any]] = []
        for group in groups:
            for inside, factor in ((False, 1.0), (True, self.feature_rate)):
                part = [p for p in group["params"] if (id(p) in features) == inside]
                split += [{**group, "params": part, "lr": rate * factor}] if part else []
        return split

    def frozen(self) -> list[nn.Module]:
        """The stages that do not learn in this epoch, from the picture on."""
        if not self.thaw_epochs:
            return []
        found = stages(self.net)
        return found[: max(0, len(found) - self.current_epoch // self.thaw_epochs)]

    def train(self, mode: bool = True) -> "LitFineTuning":
        """Training or evaluation mode; frozen stages stay in evaluation mode."""
        super().train(mode)
        for stage in self.frozen():
            stage.eval()
        return self

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.thaw_epochs:  # a run that is resumed within an epoch does not begin one
            self.train()

    def on_train_epoch_start(self) -> None:
        if self.thaw_epochs:
            self.train()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Takes the gradients of frozen stages away: an optimizer leaves a parameter without one as it is.

        ``requires_grad`` stays, since DDP decides at the start which gradients it averages.
        """
        super().on_before_optimizer_step(optimizer)
        for stage in self.frozen():
            for p in stage.parameters():
                p.grad = None

    # -- where the features come from -------------------------------------------------------------------------------

    def take_weights(self) -> None:
        if self.weights:
            super().take_weights()
        else:
            put_weights(self.net, of_first_process(self, self.pretrained()), "the source")

    def pretrained(self) -> dict[str, Tensor]:
        """The state of a network of the same sizes after ``pretrain_epochs`` on the source's classes."""
        data = self.data_attribute("source")
        if data is None:
            raise UserError(
                "model.pretrain_epochs: this data has no other classes to learn from: give --model.weights FILE, or "
                "--model.pretrain_epochs 0 to train from scratch"
            )
        images, labels = data()
        classes = int(labels.max()) + 1
        with torch.random.fork_rng(), torch.enable_grad(), torch.inference_mode(False):
            torch.manual_seed(0)
            sizes = {name: self.hparams[name] for name in parameters_of(ResNet)}
            net = ResNet(**(sizes | {"num_classes": classes})).to(self.device).to(memory_format=torch.channels_last)
            steps = self.pretrain_epochs * -(-len(images) // SOURCE_BATCH)
            optimizer = torch.optim.AdamW(net.parameters(), lr=SOURCE_RATE, weight_decay=0.01)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, SOURCE_RATE, total_steps=steps)
            right = 0
            for _ in range(self.pretrain_epochs):
                right = 0
                for rows in torch.randperm(len(images)).split(SOURCE_BATCH):
                    x, y = (images[rows] / 255).to(self.device), labels[rows].to(self.device)
                    logits = net(x)
                    optimizer.zero_grad()
                    F.cross_entropy(logits, y).backward()
                    optimizer.step()
                    schedule.step()
                    right += int((logits.argmax(1) == y).sum())
        note(f"features: {self.pretrain_epochs} epochs on {classes} other classes, {right / len(images):.3f} right")
        return net.state_dict()


def stages(net: nn.Module) -> list[nn.Module]:
    """The layers before the head that have parameters, in their order: the stages that are thawed one by one."""
    layers = feature_layers(net)
    layers = list(layers[0].children()) if len(layers) == 1 else layers
    return [layer for layer in layers if next(layer.parameters(), None) is not None]
