"""Instructions that a program can check, and texts that break them."""

from planish.find.instructions.broken import BrokenInstructions
from planish.find.instructions.conflicts import compatible, compose, relaxed
from planish.find.instructions.constraint import Constraint
from planish.find.instructions.kinds import KINDS, parse_constraint
from planish.find.instructions.prompt import ask

__all__ = ["KINDS", "BrokenInstructions", "Constraint", "ask", "compatible", "compose", "parse_constraint", "relaxed"]
