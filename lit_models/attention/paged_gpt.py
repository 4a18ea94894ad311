"""Many texts at once by one GPT: they come and go between two steps, and each is as it would be alone.

Yu et al. 2022, "Orca: a distributed serving system for transformer-based generative models" (a batch is put together
anew for each step); Kwon et al. 2023, "PagedAttention", for the memory (``layers/paged_cache.py``) and for what happens
when it is full: the newest text gives its blocks back, and its tokens are read again when there is room (4.5). Departs
from Orca: a text's first tokens are read alone, not together with a step of the others.

    server = PagedGPT(net, blocks=64)
    first, second = server.add([5, 3, 8], 20), server.add([7], 100)
    while server.busy:
        for number, token in server.step().items():
            ...
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.messages import RunError
from lit_models.attention.gpt import GPT
from lit_models.layers.paged_cache import BlockPool, Paged, PagedStep

Choose = Callable[[Tensor], int]


def most_probable(logits: Tensor) -> int:
    """The token with the largest of the logits (V,)."""
    return int(logits.argmax())


@dataclass
class Text:
    """A text on its way.

    Args:
        number: By which ``PagedGPT.step`` names it.
        tokens: Those so far.
        left: How many are still to come.
        choose: The next one from logits (V,).
        stop: The token that ends it.
        place: Where its keys and values are.
    """

    number: int
    tokens: list[int]
    left: int
    choose: Choose
    stop: int
    place: Paged


class PagedGPT:
    """Continues texts by a network.

    Args:
        net: In evaluation mode.
        blocks: Of its pool.
        size: Tokens in a block.
        most: Texts in a step.
    """

    def __init__(self, net: GPT, blocks: int = 256, size: int = 16, most: int = 64) -> None:
        self.net, self.most, self.pool = net, most, BlockPool(net.num_layers, blocks, size)
        self.running: list[Text] = []  # the oldest first
        self.waiting: deque[Text] = deque()
        self.count = 0

    @property
    def busy(self) -> bool:
        """Whether a text is still to be continued."""
        return bool(self.running or self.waiting)

    def add(self, tokens: list[int], max_tokens: int, choose: Choose = most_probable, stop: int = -1) -> int:
        """A text's number, by which ``step`` names it.

        Args:
            tokens: What it begins with, at least one token.
            max_tokens: Tokens to generate.
            choose: The next token from logits (V,).
            stop: A token after which the text ends.

        Raises:
            RunError: It would not fit into an empty pool, or into the network's context; there is nothing to generate.
        """
        if not tokens or max_tokens < 1:
            raise RunError("a text begins with at least one token, and at least one is generated")
        long = len(tokens) + max_tokens - 1  # the last one is not read
        if -(-long // self.pool.size) > self.pool.blocks:
            raise RunError(f"a text of {long} tokens needs more than the {self.pool.blocks} blocks of {self.pool.size}")
        if self.net.context and long > self.net.context:
            raise RunError(f"a text of {long} tokens is longer than the network's context of {self.net.context}")
        self.count += 1
        self.waiting.append(Text(self.count, list(tokens), max_tokens, choose, stop, Paged(self.pool)))
        return self.count

    @torch.no_grad()
    def step(self) -> dict[int, int]:
        """One more token of each text for which there is room, by its number."""
        found: dict[int, int] = {}
        while self.running and sum(text.place.needs(1) for text in self.running) > len(self.pool.free):
            self.give_way()
        if self.running:
            logits = self.logits([text.tokens[-1:] for text in self.running], self.running)
            found |= {text.number: self.continued(text, row) for text, row in zip(self.running, logits, strict=True)}
        while self.waiting and len(self.running) < self.most:
            text = self.waiting[0]
            # a block for the next token of each: a text is not let in only to give way at once
            if text.place.needs(len(text.tokens)) + len(self.running) + 1 > len(self.pool.free) and self.running:
                break
            self.running.append(self.waiting.popleft())
            found[text.number] = self.continued(text, self.logits([text.tokens], [text])[0])
        for text in [text for text in self.running if not text.left]:
            text.place.end()
            self.running.remove(text)
        return found

    def end(self, number: int) -> None:
        """A text ends before it has all its tokens."""
        for text in [text for text in self.running if text.number == number]:
            text.place.end()
            self.running.remove(text)
        self.waiting = deque(text for text in self.waiting if text.number != number)

    def give_way(self) -> None:
        """The newest text gives its blocks back, and is the next to be read again."""
        text = self.running.pop()
        text.place.end()
        self.waiting.appendleft(text)

    def continued(self, text: Text, logits: Tensor) -> int:
        """Adds the next token to a text and returns it."""
        token = text.choose(logits)
        text.tokens.append(token)
        text.left = 0 if token == text.stop else text.left - 1
        return token

    def logits(self, tokens: list[list[int]], texts: list[Text]) -> Tensor:
        """The logits (B, V) after new tokens of each text, equally many."""
        net, device = self.net, self.net.embedding.weight.device
        step = PagedStep([text.place for text in texts], len(tokens[0]), net.window, device)
        x = net.embedding(torch.tensor(tokens, device=device))  # (B, T, D)
        if net.positions is not None:
            x = x + net.positions.weight[0, step.positions]
        for index, layer in enumerate(net.layers):
            x = layer(x, mask=step.mask, caches=step.layer(index))
        step.done()
        return net.head(net.norm(x[:, -1]))
