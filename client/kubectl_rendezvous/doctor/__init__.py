"""`doctor`: whether a cluster is ready for a first job, and for each thing that is not, the command that mends it.

    reading (API server) ──┐
    probing (pods)  ───────┴─> surroundings (typed) ─> one pure file a check ─> findings ─> command (prints)

It writes nothing, unless it is asked to try: then it makes a Rendezvous, and two pods of the image, and removes them.
"""
