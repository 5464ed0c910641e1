"""Continual learning and multi-task"""
