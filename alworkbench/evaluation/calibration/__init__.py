"""Whether probabilities are frequencies: calibration error, Brier score, selective and set predictions."""
