"""Brain-inspired

Spikes, predictive coding, forward-forward, local learning.
"""
