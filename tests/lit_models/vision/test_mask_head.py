"""The mask head: targets as torchvision's, the map of the object's class alone is taught, masks at their places."""

import torch
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.ops import roi_align

from lit_models.vision.mask_head import MaskHead, MaskPredictor, mask_loss, mask_targets, pasted


def test_a_map_for_each_class_has_twice_the_resolution() -> None:
    found = MaskPredictor(3, num_classes=4)(MaskHead(5, 3)(torch.rand(2, 5, 7, 7)))
    assert found.shape == (2, 5, 14, 14)
    assert MaskPredictor(3, 4)(MaskHead(5, 3)(torch.rand(0, 5, 7, 7))).shape == (0, 5, 14, 14)


def test_targets_are_torchvisions_for_regions_smaller_and_larger_than_their_parts() -> None:
    torch.manual_seed(0)
    masks = torch.rand(4, 40, 50, dtype=torch.float64) < 0.5
    regions = torch.tensor([[3.2, 4.1, 6.7, 33.3], [10, 10, 47, 39], [-2, -3, 20, 8], [7, 7, 7.2, 7.1]]).double()
    rows = torch.cat([torch.arange(4.0)[:, None].double(), regions], 1)
    theirs = roi_align(masks[:, None].double(), rows, 14, 1.0)[:, 0]
    torch.testing.assert_close(mask_targets(masks, regions, 14), theirs, atol=1e-12, rtol=0)
    assert mask_targets(masks[:0], regions[:0], 14).shape == (0, 14, 14)


def test_only_the_map_of_the_objects_class_is_taught() -> None:
    logits = torch.randn(3, 4, 5, 5, requires_grad=True)
    targets, labels = torch.rand(3, 5, 5), torch.tensor([2, 0, 3])
    loss = mask_loss(logits, targets, labels)
    loss.sum().backward()
    taught = logits.grad.abs().sum((2, 3)) > 0  # type: ignore[union-attr]
    assert torch.equal(taught, torch.nn.functional.one_hot(labels, 4).bool())
    p = logits.detach()[1, 0].sigmoid()
    by_hand = -(targets[1] * p.log() + (1 - targets[1]) * (1 - p).log()).mean()
    torch.testing.assert_close(loss[1].detach(), by_hand)


def test_a_mask_of_ones_is_its_box_also_across_the_edge_and_a_disc_is_where_torchvision_puts_it() -> None:
    boxes = torch.tensor([[2.0, 3, 12, 9], [-4, 10, 6, 26]])
    found = pasted(torch.ones(2, 7, 7), boxes, 20, 16)
    expected = torch.zeros(2, 20, 16, dtype=torch.bool)
    expected[0, 3:9, 2:12] = expected[1, 10:20, :6] = True
    assert torch.equal(found, expected)
    line = torch.linspace(-1, 1, 28)
    disc = (line[:, None] ** 2 + line**2 < 0.9).float()[None]
    box = torch.tensor([[20.0, 30, 80, 70]])
    ours, theirs = pasted(disc, box, 100, 100)[0], paste_masks_in_image(disc[:, None], box, (100, 100))[0, 0] > 0.5
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.94  # theirs stretches it by a cell and rounds the box
