"""Language models

Embedding, decoding, tuning, graphs.
"""
