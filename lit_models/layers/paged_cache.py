"""Keys and values of many texts in blocks of one pool, so that texts of different lengths share memory and steps.

Kwon et al. 2023, "Efficient memory management for large language model serving with PagedAttention", sections 4.1 to
4.4: a text has a table of blocks, which need not be neighbors; it takes a block when the last one is full, so that at
most one block of each text is not full; texts with the same beginning share its blocks, and who first writes into a
shared one gets a copy. Departs from the paper: blocks are gathered before attention, where the paper's kernel reads
them in place; nothing is swapped out.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from common.messages import RunError


class BlockPool:
    """The blocks of all layers: ``pairs`` (L, blocks, 2 G, size, d), made when the first keys and values come.

    Args:
        num_layers: L.
        blocks: How many there are.
        size: Tokens in a block.
    """

    def __init__(self, num_layers: int, blocks: int, size: int = 16) -> None:
        self.num_layers, self.blocks, self.size = num_layers, blocks, size
        self.free = list(range(blocks))[::-1]
        self.holders = [0] * blocks  # texts whose table has the block
        self.pairs = torch.empty(0)

    def take(self) -> int:
        """A free block.

        Raises:
            RunError: All are in use.
        """
        if not self.free:
            raise RunError(f"all {self.blocks} blocks of {self.size} tokens are in use")
        block = self.free.pop()
        self.holders[block] = 1
        return block

    def release(self, blocks: list[int]) -> None:
        """A text needs its blocks no more; those that no other text has are free."""
        for block in blocks:
            self.holders[block] -= 1
            if not self.holders[block]:
                self.free.append(block)

    def room(self, like: Tensor) -> None:
        """Makes the memory, for keys and values (B, 2 G, T, d) such as these."""
        if not self.pairs.numel():
            self.pairs = like.new_zeros(self.num_layers, self.blocks, like.shape[1], self.size, like.shape[3])


@dataclass
class Paged:
    """A text's place in a pool.

    Args:
        pool: The pool.
        blocks: Its table: the numbers of its blocks, in the order of its tokens.
        length: Its tokens.
    """

    pool: BlockPool
    blocks: list[int] = field(default_factory=list)
    length: int = 0

    def needs(self, new: int) -> int:
        """Blocks to take before so many new tokens, a copy of a shared last one included."""
        more = -(-(self.length + new) // self.pool.size) - len(self.blocks)
        return more + int(self.writes_shared())

    def writes_shared(self) -> bool:
        """Whether the next token goes into a block that other texts have too."""
        return bool(self.length % self.pool.size) and self.pool.holders[self.blocks[-1]] > 1

    def reserve(self, new: int) -> None:
        """Takes the blocks for so many new tokens.

        Raises:
            RunError: There are too few; nothing is changed.
        """
        if self.needs(new) > len(self.pool.free):
            raise RunError(f"{self.needs(new)} blocks are needed, {len(self.pool.free)} of {self.pool.blocks} are free")
        if self.writes_shared():
            old, self.blocks[-1] = self.blocks[-1], self.pool.take()
            self.pool.pairs[:, self.blocks[-1]] = self.pool.pairs[:, old]
            self.pool.release([old])
        while len(self.blocks) * self.pool.size < self.length + new:
            self.blocks.append(self.pool.take())

    def fork(self) -> "Paged":
        """A second text that begins like this one, in the same blocks."""
        for block in self.blocks:
            self.pool.holders[block] += 1
        return Paged(self.pool, list(self.blocks), self.length)

    def end(self) -> None:
        """Gives all blocks back."""
        self.pool.release(self.blocks)
        self.blocks, self.length = [], 0


class PagedStep:
    """A step of several texts by as many new tokens each: the caches of all layers, in place of a ``DecoderState``.

    Args:
        texts: B of them, from one pool. Their blocks are reserved here.
        new: Tokens T of each.
        window: How many keys, including its own, a token may attend to; 0 means all of its text.
        device: Where the keys and values are.

    Raises:
        ValueError: Several new tokens of texts of different lengths: their attention would need a mask of each.
        RunError: The pool has too few blocks. The texts before it in the list have theirs, and lose nothing.
    """

    def __init__(self, texts: list[Paged], new: int, window: int = 0, device: torch.device | None = None) -> None:
        if new > 1 and len({text.length for text in texts}) > 1:
            raise ValueError("texts of different lengths continue by one token each")
        self.texts, self.new, self.pool = texts, new, texts[0].pool
        for text in texts:
            text.reserve(new)
        self.most = max(text.length for text in texts) + new
        starts = torch.tensor([text.length for text in texts], device=device)
        self.positions = starts[:, None] + torch.arange(new, device=device)  # (B, T)
        width = -(-self.most // self.pool.size)
        table = [text.blocks[:width] + [0] * (width - len(text.blocks)) for text in texts]
        self.table = torch.tensor(table, device=device)  # (B, blocks), padded with any block, which the mask leaves out
        key, query = torch.arange(self.most, device=device), self.positions[..., None]
        there = (key <= query) & (key > query - window) if window else key <= query
        self.mask = there[:, None]  # (B, 1, T, K): the own token and those before it

    def layer(self, index: int) -> tuple["PagedLayer", None]:
        """The cache of a layer, and None: a language model has no encoder."""
        return PagedLayer(self, index), None

    def done(self) -> None:
        """All layers have their keys and values: the texts are longer now."""
        for text in self.texts:
            text.length += self.new


class PagedLayer:
    """One layer's part of a ``PagedStep``, as ``MultiHeadAttention`` uses a cache.

    Args:
        step: The step.
        index: Number of the layer.
    """

    def __init__(self, step: PagedStep, index: int) -> None:
        self.step, self.index = step, index

    @property
    def length(self) -> Tensor:
        """The position of each text's first new token, (B,), by which rotary positions turn."""
        return self.step.positions[:, 0]

    def append(self, pairs: Tensor) -> Tensor:
        """Writes (B, 2 G, T, d) into the blocks; all keys and values of each text (B, 2 G, K, d), padded at the end."""
        step, pool = self.step, self.step.pool
        pool.room(pairs)
        block, place = step.positions // pool.size, step.positions % pool.size
        pool.pairs[self.index, step.table.gather(1, block), :, place] = pairs.transpose(1, 2)
        found = pool.pairs[self.index, step.table]  # (B, blocks, 2 G, size, d)
        return found.transpose(1, 2).flatten(2, 3)[:, :, : step.most]
