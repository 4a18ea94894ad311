"""Checks of sizes: a network refuses wrong ones with one line, before its first step."""


def refuse_small_image(name: str, image_size: int, least: int) -> None:
    """Refuses images that are too small for a network's strides and poolings.

    Args:
        name: The network's name, for the message.
        image_size: Height and width of the image in pixels.
        least: The smallest that leaves one pixel.

    Raises:
        ValueError: ``image_size`` is less than ``least``.
    """
    if image_size < least:
        raise ValueError(f"image_size is {image_size}: {name} needs at least {least} pixels")


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """A published number of channels times ``width``, rounded to a multiple, at least one of them."""
    return max(multiple, round(channels * width / multiple) * multiple)
