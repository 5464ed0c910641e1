"""Graph transformers and graph sequence models"""
