"""Adaptive compute

Early exit, pruning, sparsity, binarisation, stitching.
"""
