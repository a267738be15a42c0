"""The bodies of requests on tapes."""

import ast


def sent(body):
    """Some were written to the tape as the text of a Python literal, some of them twice."""
    text = body.decode() if isinstance(body, bytes) else body
    while text and text.startswith("b'"):
        text = ast.literal_eval(text).decode()
    return text
