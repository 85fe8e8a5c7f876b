"""Changing weights: mining, FTPO, DPO, tagging and value heads."""
