"""An OpenAI-compatible server over the local engine, with steers of its own and steers per request."""
