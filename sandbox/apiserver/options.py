"""Parameters that every write takes: which values there are.

Owns `dryRun` and `fieldValidation`. Must not: act on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call

_OPTIONS: Mapping[str, str] = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}


def check_options(call: Call, verb: str) -> None:
    """Check the parameters of a write.

    Raises:
        Refusal: 422 for a value that there is not.
    """
    options, query = _OPTIONS.get(verb), call.request.query
    if options is None:
        return
    if (dry_run := query.get("dryRun", "All")) != "All":
        raise failures.bad_option(options, failures.unsupported("dryRun", [dry_run], ("All",)))
    modes = ("", "Ignore", "Strict", "Warn")
    if options != "DeleteOptions" and (mode := query.get("fieldValidation", "")) not in modes:
        raise failures.bad_option(options, failures.unsupported("fieldValidation", mode, modes))
