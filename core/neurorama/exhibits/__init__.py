"""The exhibits: one folder an area, one file a paper."""
