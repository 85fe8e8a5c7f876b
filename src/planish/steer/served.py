"""Decoding with bans where the weights are not ours: over any server that speaks OpenAI's protocol."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from planish.errors import PlanishError, UsageError
from planish.models.endpoint import Endpoint
from planish.models.tokens import Tokens
from planish.records.generation import Generation
from planish.records.prompt import Prompt
from planish.steer.new_row import new_row
from planish.steer.plan import Plan
from planish.steer.row import Row
from planish.steer.sampling import Sampling
from planish.steer.served_row import ServedRow
from planish.steer.steer import MODEL, Steer
from planish.steer.tag import Tag

LOCAL = "decode with the local engine (--engine local)"


class ServedEngine:
    """Decodes prompts on a server, under bans.

    What the local engine does with every token's probability, this one does with the likeliest that the server shows,
    20 by default: a token that is drawn again after a ban is one of these, under the user's settings; where too little
    of them is left, the text goes back further.

    The draws of the server have a seed from (seed, prompt, sample, position, rewinds), the others have the row's own
    noise. So a seed gives the same texts again as far as the server repeats itself: it must know seeds, and its
    probabilities must not depend on what else it decodes at that moment; most servers' do in the last digits, so under
    concurrency a text may part from its twin somewhere. A text that was interrupted by a broken connection may too. It
    is never the text that the local engine draws with that seed, but at temperature 0.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        tokens: Tokens,
        steers: Sequence[Steer] = (),
        sampling: Sampling | None = None,
        concurrency: int = 8,
    ) -> None:
        """Make an engine; the server is not asked yet.

        Raises:
            UsageError: a steer or a setting needs more than a server gives.
        """
        self.endpoint = endpoint
        self.tokens = tokens
        self.concurrency = concurrency
        self._plan = Plan(steers, sampling or Sampling())
        for steer in steers:
            _refuse_unless_served(steer)
            steer.check(tokens)
        _refuse_unless_sent(self._plan.sampling, has_bans=bool(self._plan.matchers))

    def generate(self, prompts: Sequence[Prompt], samples: int = 1, seed: int = 0) -> list[Generation]:
        """Write `samples` texts for every prompt, in the order of the prompts.

        A text that the server fails to write comes back as a failed generation and stops nothing else.

        Raises:
            ModelError: the server cannot be reached, or does not give what is needed.
        """
        self.endpoint.check()
        models, context = {MODEL: self.tokens}, self.endpoint.context
        rows = [
            new_row(self._plan, prompt, sample, seed, models, context)
            for prompt in prompts
            for sample in range(samples)
        ]
        is_cancelled = Event()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="planish-served") as pool:
            try:
                for done in [pool.submit(self._write, row, is_cancelled) for row in rows if row.finish is None]:
                    done.result()
            except BaseException:
                is_cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        hashes = self.endpoint.model_hash, self.tokens.template_hash
        return [row.generation(MODEL, *hashes) for row in rows]

    def _write(self, row: Row, is_cancelled: Event) -> None:
        try:
            ServedRow(row, self._plan, self.endpoint, self.tokens, is_cancelled).write()
        except PlanishError as error:
            row.fail(error.message)


def _refuse_unless_served(steer: Steer) -> None:
    is_plain_tag = isinstance(steer, Tag) and steer.opposite is None
    has_matcher = steer.needs.matcher is not None and not steer.needs.companions
    is_ban = steer.stage == "forbid" and has_matcher and type(steer).adjust is Steer.adjust
    if not (is_plain_tag or is_ban):
        raise UsageError(f"{type(steer).__name__.lower()} needs all logits of a model, and a server gives 20", LOCAL)


def _refuse_unless_sent(sampling: Sampling, has_bans: bool) -> None:
    if sampling.no_repeat_ngram is not None:
        raise UsageError(f"no_repeat_ngram = {sampling.no_repeat_ngram}: servers do not know this setting", LOCAL)
    if sampling.repetition_penalty != 1 and has_bans:
        raise UsageError(
            f"repetition_penalty = {sampling.repetition_penalty} does not go with bans on a server, which shows no "
            "penalised probabilities to draw from",
            LOCAL,
        )
