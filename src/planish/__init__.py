"""Finds what a language model does too much, steers it while it writes, trains it out, and proves it."""
