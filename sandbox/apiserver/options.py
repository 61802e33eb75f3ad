"""Parameters that every write takes: which values there are.

Owns `dryRun`, `fieldValidation`, `fieldManager` and `force`. Must not: act on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.apiserver import failures
from sandbox.apiserver.core import Call
from sandbox.apiserver.failures import FieldError

_MANAGER_LENGTH = 128
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
    if options == "PatchOptions":
        _check_patch(call)
    if options != "DeleteOptions":
        _check_manager(options, query.get("fieldManager", ""))
    modes = ("", "Ignore", "Strict", "Warn")
    if options != "DeleteOptions" and (mode := query.get("fieldValidation", "")) not in modes:
        raise failures.bad_option(options, failures.unsupported("fieldValidation", mode, modes))


def _check_patch(call: Call) -> None:
    applied = call.request.headers.get("content-type", "").startswith("application/apply-patch")
    if applied and not call.request.query.get("fieldManager"):
        raise failures.bad_option("PatchOptions", failures.required("fieldManager", "is required for apply patch"))
    if not applied and "force" in call.request.query:
        raise failures.bad_option("PatchOptions", failures.forbidden_field("force", "may not be specified for non-apply patch"))


def _check_manager(options: str, manager: str) -> None:
    if len(manager) > _MANAGER_LENGTH:
        too_long = FieldError("fieldManager", "FieldValueTooLong", f"Too long: may not be more than {_MANAGER_LENGTH} bytes")
        raise failures.bad_option(options, too_long)
    for position, character in enumerate(manager):
        if not character.isprintable():
            detail = f"invalid character U+{ord(character):04X} (at position {position})"
            raise failures.bad_option(options, failures.invalid("fieldManager", manager, detail))
