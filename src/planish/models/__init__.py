"""Models: loading, prompts and heads; value heads and tags; scoring text."""
