"""Behaviours: things that are visible in a text, and that a model may do too much."""
