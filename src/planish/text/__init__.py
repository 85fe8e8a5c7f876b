"""Pure text: words, spans and the streaming matchers. No model is needed here."""
