"""The use cases of the relay: a call is carried to a provider, its answer back, and billed exactly once.

No SQL, no HTTP framework, no vendor's name: it speaks to the rooms below by their functions and to the caller by
an exchange.
"""
