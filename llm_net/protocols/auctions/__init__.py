"""Who gets what for sale, and at what price: sealed bids, clocks, packages. Pure functions on frozen records."""
