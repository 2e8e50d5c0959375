"""Many buyers and many sellers of one good: a call that clears at one price, and a book that never closes."""
