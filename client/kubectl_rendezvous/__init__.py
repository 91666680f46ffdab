"""`kubectl rendezvous`: what happens in a Rendezvous, in sentences, tables and dry runs.

`reading` reads from the cluster; everything between that and the printing is pure: `observation` (what was read,
typed), `causes` (what holds a rendezvous up, and the next step), `story`, `tables`, `timeline`, `plan`, `changes`.
"""
