"""What a browser that has one view needs to have the next: of 1,000 members, only the rows that are others now."""

from collections.abc import Mapping

from kubectl_rendezvous.dashboard.views import KEYED, View


def difference(before: Mapping[str, object], after: Mapping[str, object]) -> View:
    """The change from one view to another, as ``page/view.js`` applies it.

    Returns:
        ``set``: parts that are others; ``unset``: parts that are no more; ``rows`` and ``gone``: the same for the rows
        of the keyed parts. Only what is not empty; `now` is always there.
    """
    keyed = [part for part in KEYED if part in before and part in after]
    plain = [part for part in after if part not in keyed and (part not in before or before[part] != after[part])]
    rows, gone = {}, {}
    for part in keyed:
        was, now = before[part], after[part]
        assert isinstance(was, dict)
        assert isinstance(now, dict)
        gone[part] = [key for key in was if key not in now]
        others = {key: row for key, row in now.items() if was.get(key) != row}
        if others:
            rows[part] = others
    change = {
        "set": {part: after[part] for part in plain} | {"now": after["now"]},
        "unset": [part for part in before if part not in after],
        "rows": rows,
        "gone": {part: keys for part, keys in gone.items() if keys},
    }
    return {name: content for name, content in change.items() if content}


def is_news(change: View) -> bool:
    """Whether anything but the clock is another one."""
    return set(change) != {"set"} or set(change["set"]) != {"now"}
