"""Ballots and tallies: what voters want, and whom each rule elects. Pure functions; ties are results, not accidents."""
