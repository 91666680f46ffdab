"""Frozen dataclasses that are made as fast as others, for runs of very many schedules.

Each field of a frozen one is set by a call of `object.__setattr__`, and `dataclasses.replace` asks for each field by
its name: together a tenth of a schedule. Here they are set as in any other class, with the same result. That nobody
sets them later is what type checks and all other tests are for; so this is only for processes that do nothing else.
"""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

_OURS = ("kube_rendezvous", "simulation.")


def make_records_quick() -> None:
    """For good, in this process: of all classes of the product and of the simulator that are imported."""
    modules = [module for name, module in sys.modules.items() if name.startswith(_OURS)]
    records = {value for module in modules for value in vars(module).values() if _is_plain(value)}
    copies = {record: _made_quick(record) for record in records}

    def replace(record: Any, /, **changes: Any) -> Any:
        copy = copies.get(type(record))
        return dataclasses.replace(record, **changes) if copy is None else copy(record, changes)

    for module in modules:
        for name, value in list(vars(module).items()):
            if value is dataclasses.replace:
                setattr(module, name, replace)


def _is_plain(value: Any) -> bool:
    """Whether it is a frozen dataclass with nothing in its making but its fields."""
    if not (isinstance(value, type) and "__dataclass_params__" in vars(value)):
        return False
    frozen = value.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return frozen and not hasattr(value, "__post_init__") and all(one.init for one in dataclasses.fields(value))


def _made_quick(record: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """Give the class another `__init__`; what copies one of them with changes."""
    known: dict[str, Any] = {"new": object.__new__, "record": record, "missing": dataclasses.MISSING}
    taken, settled, copied = [], [], []
    for one in dataclasses.fields(record):
        taken.append(_parameter(one, known))
        settled.append(f"self.{one.name} = {one.name}")
        if one.default_factory is not dataclasses.MISSING:
            known[f"make_{one.name}"] = one.default_factory
            settled[-1] += f" if {one.name} is not missing else make_{one.name}()"
        copied.append(f"copy.{one.name} = old.{one.name}")
    lines = [
        f"def __init__(self, {', '.join(taken)}):",
        *(f"    {line}" for line in settled or ["pass"]),
        "def copy(old, changes):",
        "    copy = new(record)",
        *(f"    {line}" for line in copied),
        "    for name, value in changes.items():",
        "        setattr(copy, name, value)",
        "    return copy",
    ]
    exec("\n".join(lines), known)  # as `dataclasses` does
    for name in ("__setattr__", "__delattr__"):
        if name in vars(record):
            delattr(record, name)
    record.__init__ = known["__init__"]
    made: Callable[[Any, dict[str, Any]], Any] = known["copy"]
    return made


def _parameter(one: "dataclasses.Field[Any]", known: dict[str, Any]) -> str:
    if one.default_factory is not dataclasses.MISSING:
        return f"{one.name}=missing"
    if one.default is dataclasses.MISSING:
        return one.name
    known[f"default_{one.name}"] = one.default
    return f"{one.name}=default_{one.name}"
