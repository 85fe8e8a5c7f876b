"""What else could have stood in a text that a server writes."""

from collections.abc import Collection, Mapping

from planish.models.endpoint import Endpoint
from planish.models.tokens import UNFINISHED, Tokens
from planish.steer.row import WINDOW, Row
from planish.steer.steer import MODEL


class Alternatives:
    """The likeliest tokens at each position of a row, with their log-probabilities; asked for where not known yet."""

    def __init__(self, row: Row, endpoint: Endpoint, tokens: Tokens, min_tokens: int) -> None:
        self._row = row
        self._endpoint = endpoint
        self._tokens = tokens
        self._min_tokens = min_tokens
        self._known: dict[int, Mapping[int, float]] = {}

    def note(self, candidates: Mapping[int, float]) -> None:
        """These came with the token that is about to be written."""
        position = len(self._row.tokens)
        # What stands further on belonged to a text that is gone.
        for place in range(position, max(self._known, default=-1) + 1):
            self._known.pop(place, None)
        # One alone is hardly more than the token itself.
        if self._endpoint.streamed > 1:
            self._known[position] = candidates

    def at(self, position: int) -> dict[int, float]:
        """What may stand there, without what was rejected there."""
        if position not in self._known:
            before = [*self._row.prompt_ids[MODEL], *self._row.tokens[:position]]
            any_id = min(self._tokens.end_ids, default=0)
            self._known[position] = self._endpoint.candidates(before, any_id)
        excluded = {*self._row.rejected.get(position, ()), *self.never(position)}
        return {token: logprob for token, logprob in self._known[position].items() if token not in excluded}

    def unfinished(self) -> dict[int, float]:
        """What may stand next and leaves a character unfinished; if nothing known does, whatever may."""
        window = self._row.ids(MODEL)[-WINDOW:]
        candidates = self.at(len(self._row.tokens))
        return {
            token: logprob
            for token, logprob in candidates.items()
            if self._tokens.decode([*window, token]).endswith(UNFINISHED)
        } or candidates

    def never(self, position: int) -> Collection[int]:
        """What may stand there in no text: control tokens, and before the least length the end."""
        ends = self._tokens.end_ids if position < self._min_tokens else ()
        return (*self._tokens.tags.values(), *ends)
