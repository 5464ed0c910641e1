"""Memory

Hopfield, associative, episodic, key-value.
"""
