from torch import nn

from scripts.front.own_network import sizes_for


class Net(nn.Module):
    def __init__(self, num_classes: int = 2, width: int = 16) -> None:
        super().__init__()


def test_sizes_that_the_network_asks_for_come_from_the_data() -> None:
    sizes = {"num_classes": 10, "image_size": 28, "width": 3}
    assert sizes_for(Net, {"num_classes": 2}, sizes, ["num_classes", "image_size"]) == [
        "--model.init_args.net.init_args.num_classes=10"
    ]


def test_a_size_that_the_user_gave_stays() -> None:
    assert sizes_for(Net, {"num_classes": 7}, {"num_classes": 10}, ["num_classes"]) == []
