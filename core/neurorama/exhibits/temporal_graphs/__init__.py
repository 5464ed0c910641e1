"""Temporal graphs and event streams"""
