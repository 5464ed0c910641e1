"""Memory

Show a fragment, get back the whole. Associative memories, episodic stores and how much fits into them.
"""
