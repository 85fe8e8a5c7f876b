"""Before and after, on held-out prompts: what changed, how sure that is, and what it cost elsewhere."""
