"""Convolutional networks at CIFAR's shape: our recipes against torchvision's own modules in a bare loop.

Training, inference, and the augmentation of a batch on the tensor against torchvision's transforms image by image. The
pictures are random bytes: only speeds are measured, nothing is learned.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torchvision.models as tv
from lightning.pytorch import Trainer
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models.vgg import VGG, cfgs, make_layers

from datamodules.vision.images import ImageTensors
from scripts.evidence.benches import ours
from scripts.evidence.benches.naive_lightning import LitNaive
from scripts.evidence.benches.part import Goal, Part
from scripts.evidence.benches.workloads import Clock, take_turns
from scripts.front.build import build

PART = Part(
    "Convolutional networks at CIFAR's shape",
    """\
Pictures of 3 x 32 x 32, batches of 32. `torchvision` is its own module with the small stem, in the shortest PyTorch
loop; `bare` is the same in channels-last order, which our recipes use too; `ours` and `bare` again in bf16 (autocast).
`naive Lightning` has torchvision's module, two workers and `self.log` in each step. `augmentation` is crops of 32 out
of 40 and mirrors: ours on batches of 128, torchvision's transforms on single images in two worker processes.""",
    "samples",
    (
        Goal("resnet18", "bare", 0.95, None, "our loop against the bare one, both channels-last in single precision"),
        Goal("vgg11", "bare", 0.95, None, "the same"),
        Goal("densenet", "bare", 0.95, None, "the same"),
        Goal("resnet18", "torchvision", 1.0, None, "no slower than torchvision's module in the shortest loop"),
        Goal("vgg11", "torchvision", 1.0, None, "the same"),
        Goal("densenet", "torchvision", 1.0, None, "the same"),
        Goal("resnet18, inference", "torchvision", 1.0, None, "the same, without gradients"),
        Goal("vgg11, inference", "torchvision", 1.0, None, "the same"),
        Goal("densenet, inference", "torchvision", 1.0, None, "the same"),
        Goal("augmentation", "torchvision", 5.0, None, "a whole batch on the tensor against single images"),
    ),
)
ROWS, BATCH, RATE = 2048, 32, 0.1
STEPS, WARMUP = 5, 2
AUGMENTED_BATCH, AUGMENTED_STEPS = 128, 30  # of the recipes
Row = dict[str, Any]
Side = Callable[[Clock], Any]


@cache
def pictures() -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) uint8 and labels (N,), the same in every call."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (ROWS, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return images, torch.randint(10, (ROWS,), generator=generator)


class Pictures(ImageTensors):
    """The pictures instead of the recipe's."""

    def __init__(self, num_classes: int = 10, in_channels: int = 3, image_size: int = 32, **images: Any) -> None:
        super().__init__(num_classes, in_channels, image_size, **images)

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        return {"train": pictures(), "val": tuple(t[:2] for t in pictures())}


class SinglePictures(Dataset[tuple[Tensor, int]]):
    """In the manner of torchvision's ``CIFAR10``: from the array to a PIL image, then the transform."""

    def __init__(self, transform: Callable[[Any], Tensor]) -> None:
        self.images, self.labels = pictures()[0].permute(0, 2, 3, 1).numpy(), pictures()[1]
        self.transform = transform

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])


# -- torchvision's networks in the small form -----------------------------------------------------------------------


def resnet18() -> nn.Module:
    net = tv.resnet18(weights=None, num_classes=10)
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()  # type: ignore[assignment]
    return net


def vgg11() -> nn.Module:
    with torch.device("meta"):  # initializing its dense layers for 224 pixels takes a second
        net: Any = VGG(make_layers(cfgs["A"], batch_norm=True), num_classes=10, init_weights=False)
    hidden = (nn.ReLU(inplace=True), nn.Dropout(0.5))
    net.features, net.avgpool = make_layers(cfgs["A"], batch_norm=True), nn.Identity()
    net.classifier = nn.Sequential(nn.Linear(512, 512), *hidden, nn.Linear(512, 512), *hidden, nn.Linear(512, 10))
    return net


def densenet() -> nn.Module:
    net: Any = tv.DenseNet(growth_rate=12, num_init_features=24, num_classes=10)
    net.features.conv0, net.features.pool0 = nn.Conv2d(3, 24, 3, padding=1, bias=False), nn.Identity()
    return net


NETWORKS = {
    "resnet18": ("cnn/resnet_cifar10", resnet18),
    "vgg11": ("cnn/vgg_cifar10", vgg11),
    "densenet": ("cnn/densenet_cifar10", densenet),
}


# -- training ---------------------------------------------------------------------------------------------------------


def recipe(name: str) -> tuple[Any, Any]:
    """Our model, in channels-last order as its recipe runs it, and the pictures, with plain steps like the others'."""
    plain = {"momentum": "0", "nesterov": "false", "weight_decay": "0", "lr": str(RATE)}
    words = [word for key, value in plain.items() for word in (f"--model.optimizer.{key}", value)]
    data = ["--data", f"{Pictures.__module__}.{Pictures.__name__}", "--data.shift", "0", "--data.flip", "false"]
    _, model, pictures = build(
        [NETWORKS[name][0], *data, "--data.batch_size", str(BATCH), *words, "--model.label_smoothing", "0"]
    )
    return model.to(memory_format=torch.channels_last), pictures


def train_ours(name: str, clock: Clock, bf16: bool = False) -> None:
    ours.fit(*recipe(name), clock, precision="bf16-mixed" if bf16 else "32-true")


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    images, labels = pictures()
    while True:
        for index in torch.randperm(ROWS).split(BATCH):
            yield images.index_select(0, index).float() / 255, labels.index_select(0, index)


def train_bare(name: str, clock: Clock, channels_last: bool = False, bf16: bool = False) -> None:
    """torchvision's module in the shortest loop, with the fused optimizer."""
    net = NETWORKS[name][1]()
    net = net.to(memory_format=torch.channels_last) if channels_last else net  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(net.parameters(), RATE, fused=True)
    for x, y in batches():
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        clock.tick(len(y))
        if clock.done:
            break


def train_naive(name: str, clock: Clock) -> None:
    """torchvision's module and dataset, two workers, ``self.log`` on each step and epoch, Lightning's defaults."""
    data = DataLoader(SinglePictures(transforms.ToTensor()), batch_size=BATCH, shuffle=True, num_workers=2)
    with TemporaryDirectory() as folder:
        settings: Any = {"accelerator": "cpu", "max_steps": clock.total, "max_epochs": -1, "default_root_dir": folder}
        trainer = Trainer(**settings, enable_checkpointing=False, callbacks=[ours.Ticks(clock)])
        trainer.fit(LitNaive(NETWORKS[name][1](), accuracy=False), data)


def training_sides(name: str) -> dict[str, Side]:
    return {
        "torchvision": partial(train_bare, name),
        "bare": partial(train_bare, name, channels_last=True),
        "ours": partial(train_ours, name),
        "bare bf16": partial(train_bare, name, channels_last=True, bf16=True),
        "ours bf16": partial(train_ours, name, bf16=True),
        "naive Lightning": partial(train_naive, name),
    }


# -- inference and augmentation ---------------------------------------------------------------------------------------


def infer(make: Callable[[], nn.Module], clock: Clock) -> None:
    net = make().eval()
    with torch.inference_mode():
        for x, y in batches():
            net(x)
            clock.tick(len(y))
            if clock.done:
                break


def our_network(name: str) -> nn.Module:
    net: nn.Module = recipe(name)[0].net
    return net


def augment_ours(clock: Clock) -> None:
    """Crops of 32 out of 40 and mirrors, a batch at a time on the tensor, as the recipes do."""
    data = Pictures(batch_size=AUGMENTED_BATCH, shift=4, flip=True)
    data.setup("fit")
    for batch in clock.batches(data.train_dataloader):
        data.augment(data.transform(batch))
        clock.tick(len(batch[1]))


def augment_singly(clock: Clock) -> None:
    """The same by torchvision's transforms of single images, in two worker processes."""
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    data = SinglePictures(transforms.Compose(steps))
    loader = DataLoader(
        data, batch_size=AUGMENTED_BATCH, shuffle=True, num_workers=2, persistent_workers=True, drop_last=True
    )
    for _, y in clock.batches(lambda: loader):
        clock.tick(len(y))


def cases() -> dict[str, tuple[dict[str, Side], int]]:
    """The sides of each workload and their timed steps."""
    found = {name: (training_sides(name), STEPS) for name in NETWORKS}
    for name, (_, theirs) in NETWORKS.items():
        sides: dict[str, Side] = {
            "torchvision": partial(infer, theirs),
            "ours": partial(infer, partial(our_network, name)),
        }
        found[f"{name}, inference"] = sides, 2 * STEPS
    return found | {"augmentation": ({"ours": augment_ours, "torchvision": augment_singly}, AUGMENTED_STEPS)}


def measure(
    threads: int, repeats: int, say: Callable[[str], None], steps: int | None = None, warmup: int = WARMUP
) -> list[Row]:
    """Samples a second of each side in each turn."""
    torch.set_num_threads(threads)
    rows: list[Row] = []
    for workload, (sides, usual) in cases().items():
        rows += take_turns(workload, threads, sides, repeats, steps or usual, warmup, say)
    return rows
