"""Where thresholds could stand: the curve of each, and a change of policy to review."""
