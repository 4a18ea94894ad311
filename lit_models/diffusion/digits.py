"""Diffusion of pictures of digits, with the class that is asked for.

Ho et al. 2020 with the U-Net of ``unet.py``; Ho and Salimans 2022, "Classifier-free diffusion guidance". Not in D2L.
The test makes a picture of the class of each test picture. An independent classifier, a LeNet that has seen neither,
says whether it is of that class, and its features measure how near generated pictures are to real ones: "FID (LeNet
features)" (``pictures.py``).

    dive fit diffusion/digits               5,000 real MNIST digits at 16 pixels, offline
    dive generate diffusion/digits --class 3 --steps 20 --sampler dpm --guidance 2 --grid --gif
    dive generate diffusion/digits --image three.png --mask hole.png --class 3 --class 8     fills the hole
    dive generate diffusion/digits --image three.png --class 8     of the noise that the picture comes from

The numbers it reaches are in RESULTS.md.
"""

from lit_models.diffusion.pictures import PictureDiffusion
from lit_models.diffusion.unet import UNet
from lit_models.tasks.trains import trains


@trains(UNet)
class LitDigits(PictureDiffusion):
    """Diffusion of pictures in [0, 1] with classes, by a U-Net."""
