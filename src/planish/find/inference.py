"""Whether one text contradicts another, by a model for natural language inference."""

from collections.abc import Sequence

import torch

from planish.find.classifier import label_number, loaded_classifier

CONTRADICTION = "contradiction"
# Of two texts that are too long for it together, a model reads the beginnings; most can read so many tokens.
MOST_TOKENS = 512


class Inference:
    """A text-classification model that was trained on pairs of texts, one of whose labels is `contradiction`.

    Args:
        model: a folder or a Hub id. Safetensors only, and never remote code.
        device: cpu, cuda or mps.

    Raises:
        ModelError: the model cannot be loaded, or was not trained to classify.
        UsageError: it has no such label.
    """

    def __init__(self, model: str, device: str = "cpu") -> None:
        self._model, self._tokenizer = loaded_classifier(model, device)
        self._contradiction = label_number(self._model, model, CONTRADICTION)
        longest = getattr(self._model.config, "max_position_embeddings", MOST_TOKENS)
        self._most_tokens = min(MOST_TOKENS, longest)

    @torch.no_grad()
    def contradicts(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Of each premise and hypothesis whether contradiction is the likeliest label."""
        found = []
        for premise, hypothesis in pairs:
            read = self._tokenizer(
                premise, hypothesis, truncation=True, max_length=self._most_tokens, return_tensors="pt"
            )
            logits = self._model(**{name: tensor.to(self._model.device) for name, tensor in read.items()}).logits
            found.append(int(logits.argmax()) == self._contradiction)
        return found
