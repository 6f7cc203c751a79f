"""Management: what operators and owners do with users, keys, channels, prices and settings.

Use cases over a database, used by the shell, by the config file and by the management API alike. Each change raises
the generation numbers in its own transaction, so that every process notices. No SQL, no HTTP, no printing here.
"""
