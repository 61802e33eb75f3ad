"""tmp"""

from sandbox.apiserver import failures


def apply(call, body, strict):
    raise failures.method_not_allowed()
