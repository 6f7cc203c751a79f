"""The benchmark: unigate beside nginx and LiteLLM, in one run on one machine. `make bench` runs it."""
