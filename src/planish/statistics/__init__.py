"""Pure numbers: intervals and rates. Nothing here knows of texts or models."""
