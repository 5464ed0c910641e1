"""Links and embeddings

Give every node a place in space so that friends stand close, then guess which links are missing.
"""
