"""``kernels.png``: the first layer's kernels before and after training, and the true one where the data has it."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from matplotlib.figure import Figure
from torch import Tensor, fft, nn

from callbacks.pictures.figures import new_figure
from callbacks.pictures.picture import FitPicture
from common.data_protocol import data_attribute

MOST = 32  # kernels in a picture


class Kernels(FitPicture):
    """Images' kernels (O, C, kH, kW) are drawn as pictures, in color for three channels; kernels over time (O, C, K)
    by their spectra, sorted by peak frequency (``datamodule.sample_rate`` in Hz).
    """

    name = "kernels"
    before: Tensor | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before = first_kernels(pl_module)

    def look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Tensor] | None:
        before, after = self.before, first_kernels(pl_module)
        return {"before": before, "after": after} if before is not None and after is not None else None

    def draw(self, trainer: Trainer, found: Any) -> Figure:
        if found["after"].ndim == 3:
            return draw_spectra(found, data_attribute(trainer, "sample_rate") or 1)
        true = data_attribute(trainer, "kernel")
        return draw_kernels(found if true is None else found | {"true": true})


def first_kernels(net: nn.Module) -> Tensor | None:
    """The current value of the first parameter with three or four dimensions; gathered, if it is sharded."""
    for parameter in net.parameters():
        if parameter.ndim in (3, 4):
            whole: Any = parameter.detach()
            return (whole.full_tensor() if hasattr(whole, "full_tensor") else whole).float().cpu().clone()
    return None


def draw_kernels(rows: dict[str, Tensor]) -> Figure:
    """Kernels (O, C, kH, kW), one figure row each; gray ones on a common scale, with their values if few."""
    columns = min(MOST, max(len(kernels) for kernels in rows.values()))
    if columns == 1:  # a single kernel: side by side
        figure = new_figure(2.6 * len(rows), 2.8)
        lines = figure.subplots(1, len(rows), squeeze=False).T
    else:
        figure = new_figure(0.7 * columns + 0.5, 1.0 * len(rows) + 0.4)
        lines = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, kernels) in zip(lines, rows.items(), strict=True):
        line[0].set_title(name, fontsize="small")
        limit = float(kernels.abs().max()) or 1.0
        for cell in line:
            cell.set_axis_off()
        for cell, kernel in zip(line, kernels[:MOST], strict=False):
            if len(kernel) == 3:
                cell.imshow((kernel.permute(1, 2, 0) / (2 * limit) + 0.5).numpy())
                continue
            cell.imshow(kernel[0].numpy(), cmap="RdBu", vmin=-limit, vmax=limit)
            for i, numbers in enumerate(kernel[0].tolist() if columns == 1 else []):
                for j, number in enumerate(numbers):
                    cell.text(j, i, f"{number:.2f}", ha="center", va="center", fontsize="x-small")
    return figure


def draw_spectra(rows: dict[str, Tensor], sample_rate: float) -> Figure:
    """The amplitude spectra of kernels (O, C, K), each scaled to its largest value, one line each."""
    figure = new_figure(4.5 * len(rows), 3.5)
    for ax, (name, kernels) in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows.items(), strict=True):
        spectra = fft.rfft(kernels[:, 0], n=512).abs()  # (O, 257)
        spectra = spectra[spectra.argmax(1).argsort()]
        spectra = spectra / spectra.amax(1, keepdim=True).clamp(min=1e-12)
        ax.imshow(spectra.numpy(), aspect="auto", cmap="magma", extent=(0, sample_rate / 2, len(spectra), 0))
        ax.set(
            title=name, xlabel="frequency" + (" in Hz" if sample_rate > 1 else ""), ylabel="kernel, by peak frequency"
        )
    return figure
