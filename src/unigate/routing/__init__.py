"""Which channel serves a call, and what a failure means for it. No I/O: others send, this room judges."""
