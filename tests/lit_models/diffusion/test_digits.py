"""Diffusion of digits: the U-Net that it trains."""

from lit_models.diffusion.digits import LitDigits
from lit_models.diffusion.unet import UNet


def test_the_network_has_the_sizes_and_classes_of_the_data() -> None:
    net = LitDigits(in_channels=3, image_size=8, num_classes=4, widths=(8, 8)).net
    assert isinstance(net, UNet) and net.conv_in.in_channels == net.conv_out.out_channels == 3
    assert net.class_embedding is not None and net.class_embedding.num_embeddings == 5  # one is "no class"
