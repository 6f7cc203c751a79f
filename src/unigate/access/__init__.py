"""Who may call, and how often: keys, passwords, secrets at rest, rate limits. Knows no price and no channel."""
