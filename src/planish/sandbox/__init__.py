"""Runs Python that models wrote. Nothing else in planish does."""
