"""The durable engine's machinery: who looks after what is due, group commit, pace, and waking who waits for a change.

Must not know money, routes or HTTP: what it does with a task is given to it.
"""
