"""Explanations

A network has answered. Which nodes, edges or facts made it say so, and how do we know that the explanation is true?
"""
