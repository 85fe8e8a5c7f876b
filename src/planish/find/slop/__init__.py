"""Slop: words and phrases that a model writes far more often than people do."""

from planish.find.slop.behaviour import Slop
from planish.find.slop.discovery import find_slop

__all__ = ["Slop", "find_slop"]
