"""How much one client may ask of a server."""

from pydantic import Field

from planish.config import Settings


class Limits(Settings):
    """What is more than this is refused, and never cut down in silence; the length of a text alone is bounded."""

    body_bytes: int = Field(default=4_000_000, ge=1)
    """The largest request."""
    patterns: int = Field(default=2000, ge=0)
    """The most patterns that a request may ban; those of the server do not count."""
    pattern_chars: int = Field(default=500, ge=1)
    """The longest of them."""
    stops: int = Field(default=16, ge=0)
    """The most stop strings."""
    texts: int = Field(default=64, ge=1)
    """The most texts that a request may ask for: prompts times n."""
    tops: int = Field(default=20, ge=0)
    """The most alternatives shown for each token."""
    waiting: int = Field(default=256, ge=1)
    """The most texts that wait for their turn; what comes then is told to come again."""
    text_tokens: int | None = Field(default=None, ge=1)
    """The longest text; None for what is left of the model's context."""
    shutdown_s: float = Field(default=30.0, ge=0)
    """How long texts may still be finished after the server was told to stop."""
