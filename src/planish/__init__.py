"""planish finds what a language model does too much, steers it, trains it out, and proves that nothing else broke.

run = planish.antislop("path/to/model")
run.evidence, run.model, run.folder
"""

from planish.api import antislop, autoif, resume, text_shifts, train_model
from planish.api import find as find_overused
from planish.errors import PlanishError

__all__ = ["PlanishError", "antislop", "autoif", "find_overused", "resume", "text_shifts", "train_model"]
