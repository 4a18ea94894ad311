"""SpecAugment: bands of frequencies and stretches of time are hidden, so that the network does not rely on one.

Park et al. 2019, "SpecAugment: a simple data augmentation method for automatic speech recognition". Without its time
warping, which the paper finds to matter least. Each spectrogram of the batch gets masks of its own, drawn on its
device.
"""

import torch
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Sets random bands to 0, the mean of a normalized spectrogram; in training only. (B, C, M, T) -> the same.

    Args:
        num_masks: Bands in each of the two directions.
        most_mels: Largest height F of a frequency band; a height is uniform over 0 to F.
        most_frames: Largest width of a time band; at most ``most_fraction`` of the frames.
        most_fraction: The paper's p.
    """

    def __init__(
        self, num_masks: int = 2, most_mels: int = 8, most_frames: int = 20, most_fraction: float = 0.2
    ) -> None:
        super().__init__()
        self.num_masks, self.most_mels, self.most_frames, self.most_fraction = (
            num_masks,
            most_mels,
            most_frames,
            most_fraction,
        )

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.num_masks:
            return x
        b, _, mels, frames = x.shape
        rows = self._hidden(b, mels, min(self.most_mels, mels), x.device)  # (B, M)
        columns = self._hidden(b, frames, min(self.most_frames, int(self.most_fraction * frames)), x.device)  # (B, T)
        return x.masked_fill((rows[:, :, None] | columns[:, None, :])[:, None], 0.0)

    def _hidden(self, batch: int, size: int, most: int, device: torch.device) -> Tensor:
        """Which of ``size`` positions are hidden, (batch, size): ``num_masks`` bands of 0 to ``most`` positions."""
        width = torch.randint(most + 1, (batch, self.num_masks, 1), device=device)
        start = (torch.rand(batch, self.num_masks, 1, device=device) * (size - width + 1)).long()  # 0 to size - width
        position = torch.arange(size, device=device)
        return ((position >= start) & (position < start + width)).any(1)
