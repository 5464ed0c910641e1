"""Temporal graphs

Graphs that change while you watch: messages, trades and traffic arrive one by one, and a network has to keep up.
"""
