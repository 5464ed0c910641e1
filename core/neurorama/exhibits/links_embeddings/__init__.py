"""Links and node embeddings"""
