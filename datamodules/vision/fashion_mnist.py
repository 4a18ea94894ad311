"""Fashion-MNIST: ten kinds of clothing in MNIST's format (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747). D2L 4.2."""

from typing import Any

from datamodules.vision.mnist import MNIST


class FashionMNIST(MNIST):
    """60,000 training images, of which ``val_size`` are held out, and 10,000 test images, 28 x 28, gray."""

    digits = False
    # The authors' own repository: the address of the book and torchvision has no https.
    urls = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/",
    )
    folder = "FashionMNIST/raw"
    sha256 = {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }

    def __init__(self, **images: Any) -> None:
        super().__init__(**images)
        names = ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
        self.class_names = names
