"""What the imitated models "think": texts, tool calls, JSON by schema, pictures, sound. Pure; knows no wire format.

Everything is derived from a seed that is made of the request, so the same request gets the same answer.
"""
