"""Learned parts: encoders, heads, calibration. Code, never weights."""
