import logging
import warnings

from scripts.front.noise import silence_noise


def test_only_what_is_listed_goes_unsaid() -> None:
    with warnings.catch_warnings(record=True) as said:
        silence_noise()
        warnings.warn("The number of training batches (3) is smaller than the logging interval", stacklevel=1)
        advice = "It is recommended to use `self.log({!r}, ..., sync_dist=True)` when logging on epoch level"
        warnings.warn(advice.format("time/samples_per_second"), stacklevel=1)
        warnings.warn(advice.format("val/loss"), stacklevel=1)
        warnings.warn("the data is strange", stacklevel=1)
    assert [str(warning.message) for warning in said] == [advice.format("val/loss"), "the data is strange"]


def test_tips_are_no_log_lines() -> None:
    silence_noise()
    log = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    record = logging.LogRecord(log.name, logging.INFO, "", 0, "Tip: try another service", None, None)
    assert not log.filter(record)
