"""Steering a model while it writes: the decoding engine with rewind, and the four steers on it."""
