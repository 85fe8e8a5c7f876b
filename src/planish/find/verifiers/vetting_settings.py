"""What verifiers, cases and instructions must be like to be kept."""

from pydantic import Field

from planish.config import Settings


class VettingSettings(Settings):
    """The rules, in the order in which they are asked."""

    most_chars: int = Field(default=20_000, ge=1)
    """A longer source is not tried."""
    most_silent: float = Field(default=0.1, ge=0, lt=1)
    """Share of texts on which a verifier may raise, or run out of time."""
    case_agreement: float = Field(default=0.5, ge=0.5, lt=1)
    """A case is kept when more than this share of the votes agrees with it; each behaviour has one vote."""
    least_kept: float = Field(default=0.5, ge=0, le=1)
    """Share of the cases that must be kept: where verifiers and cases contradict one another, neither is believed."""
    least_of_each: int = Field(default=1, ge=1)
    """Kept cases that hold, and kept cases that do not."""
    verifier_agreement: float = Field(default=0.8, gt=0, le=1)
    """Share of kept cases on which a verifier must be right."""
    most_strangers: float = Field(default=0.1, ge=0, le=1)
    """Share of the behaviours of other instructions' verifiers that may be right as often as a verifier is."""
    mutated_texts: int = Field(default=8, ge=0)
    """Texts of which small changes are made."""
    mutants_a_text: int = Field(default=6, ge=0)
    """Small changes of each."""
    least_mutation_score: float = Field(default=0.5, ge=0, le=1)
    """Share of the small changes that break the instruction which a verifier must notice."""
    partner_agreement: float = Field(default=0.8, ge=0, le=1)
    """Share of all texts of which another verifier must say the same: nobody is believed alone."""
    least_verifiers: int = Field(default=2, ge=1)
    """Verifiers of different source that must be kept. With 1 nobody needs a partner."""
    seed: int = 0
    """Of the small changes."""
