"""How many steps ahead forecasts are measured: models, baselines and pictures say the same."""

STEPS = (1, 4, 16, 64)  # the book's, D2L 9.1
