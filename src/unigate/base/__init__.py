"""What every room may use and what knows no room: errors, money, ids, clock, settings, log."""
