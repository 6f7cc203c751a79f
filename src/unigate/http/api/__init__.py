"""The management API under `/api`: one module for each noun, over the use cases of `manage/`.

A route is declared with the role that it needs (`routes.py`); who asks is known before anything of the request is read.
"""
