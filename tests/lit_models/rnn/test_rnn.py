"""The RNN as a language model: the battery, by hand and by torch."""

from lit_models.rnn.rnn import LitRNN
from tests.lit_models.rnn.recurrent import RecurrentBattery


class TestLitRNN(RecurrentBattery):
    kind = LitRNN
    gates = 1
