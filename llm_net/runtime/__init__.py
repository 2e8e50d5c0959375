"""Where and when handlers run. Each module knows the core; the core knows none of them.

Read `local` first: it is the whole of how messages move within one event loop.
"""
