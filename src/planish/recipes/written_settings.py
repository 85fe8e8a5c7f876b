"""How a model is made to write instructions and the programs that check them."""

from typing import Literal

from pydantic import Field

from planish.config import Settings
from planish.find.verifiers.vetting_settings import VettingSettings


class WrittenSettings(Settings):
    """How much is written, what is sorted out, and who looks over it."""

    source: Literal["queries", "rewriting"] = "queries"
    """Think of an instruction for each query, or of instructions like others, which are then asked with any queries."""
    seeds: str | None = None
    """A text file of instructions to think of others by, one a line; by default our own."""
    examples: int = Field(default=8, ge=1)
    """How many of them are shown in a request, drawn anew for each."""
    instructions: int = Field(default=200, ge=1)
    """How many are thought of; what is sorted out is not replaced."""
    queries_each: int = Field(default=4, ge=1)
    """Queries that an instruction is asked with which was thought of without one."""

    most_words: int = Field(default=60, ge=1)
    """A longer instruction is sorted out."""
    most_overlap: float = Field(default=0.7, gt=0, le=1)
    """One that shares more than this part of its runs of three words with an earlier one is sorted out."""
    not_like: str | None = None
    """A file of prompts, such as a benchmark's, which none of ours may share thirteen words in a row with."""

    verifiers: int = Field(default=4, ge=1)
    """Programs that are asked for, for each instruction."""
    blind_replies: int = Field(default=2, ge=0)
    """Lists of cases from somebody who has seen no program."""
    blind_cases: int = Field(default=6, ge=1)
    """Cases in each of these."""
    beside_cases: int = Field(default=4, ge=0)
    """Cases that are written against each program."""
    strangers: int = Field(default=24, ge=0)
    """Verifiers of other instructions that each instruction's own must be better than. Those that behave alike count
    once: where they are few, one of an instruction that asks for the same is many of them."""
    vetting: VettingSettings = VettingSettings()

    back_translation: bool = False
    """Have each kept verifier put into words, and judged whether these say what the instruction says."""
    inference: str | None = None
    """A model for natural language inference, a folder or a Hub id, which judges that in place of the generator: what
    does not contradict the instruction is let pass."""
    descriptions: int = Field(default=1, ge=1)
    """How often each is put into words."""
    least_agreement: float = Field(default=1.0, gt=0, le=1)
    """Share of these that must say the same."""

    judge_quality: bool = False
    """Have every answer judged by how well it serves whoever asked, from 0 to 10."""
    least_quality: float = Field(default=5.0, ge=0, le=10)
    """A prompt whose answers are worse on average is left out: its instruction does not go with its query."""

    block: int = Field(default=32, ge=1)
    """Instructions that are asked about and saved together."""
