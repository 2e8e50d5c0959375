"""One `Model` per source, each in a file of its own that imports its optional library only when it is used.

`local` (embedded, offline), `pydantic_ai` (every provider), `function` (your own code), `scripted` (docs and tests).
"""
