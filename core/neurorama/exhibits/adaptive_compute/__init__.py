"""Adaptive compute

Easy questions deserve short answers: exit early, prune, binarise, stitch, and spend work only where it pays.
"""
