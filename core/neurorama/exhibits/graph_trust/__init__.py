"""Trust

Heterophily, robustness, fairness, shift, stealing, structure learning.
"""
