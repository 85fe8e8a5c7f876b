"""Two models: where they differ."""
