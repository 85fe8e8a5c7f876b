"""Public benchmarks, scored by lm-evaluation-harness's own functions, from files or from the Hub."""
