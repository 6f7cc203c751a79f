"""What callers read of each operation: schemas, examples, errors. Data that the table of operations is described by.

It must not serve anything and not decide anything: what is called where, by whom and at what cost stands in the table.
A module with a PAGE describes one dialect; it is found by walking the folder.
"""
