"""tmp"""


def track(call, old, new, *, operation):
    return None
