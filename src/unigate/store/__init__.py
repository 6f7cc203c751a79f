"""The only room that knows SQL: the two databases, their tables, and named statements. No rule of billing or routing lives here."""
