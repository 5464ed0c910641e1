"""Recommendation, ranking, tabular data"""
