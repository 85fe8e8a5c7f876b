"""Run folders: everything a recipe makes, kept so that a run killed at any moment goes on where it was."""
