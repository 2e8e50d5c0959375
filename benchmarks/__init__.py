"""How fast llm_net is, beside its floor and its peers, in one sitting. Plain scripts: llm_net knows nothing of them.

`python -m benchmarks --help` teaches the use.
"""
