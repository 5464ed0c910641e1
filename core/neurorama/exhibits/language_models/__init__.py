"""Language models

Small language models under the lamp: how they embed, decode, draft ahead and learn to use graphs.
"""
