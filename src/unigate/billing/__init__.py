"""Money: prices, holds, leases, the journal, and what is shown of them. No float and no division with a rest lost."""
