"""Fractions of a person's own file that are held out."""

from common.messages import UserError


def check_fractions(val_fraction: float, test_fraction: float) -> None:
    """Refuses fractions that leave a split empty (``UserError``)."""
    if min(val_fraction, test_fraction) <= 0 or val_fraction + test_fraction >= 1:
        raise UserError(
            f"data.val_fraction {val_fraction} and data.test_fraction {test_fraction} leave an empty split: "
            "each must be above 0, and together they must be below 1"
        )
