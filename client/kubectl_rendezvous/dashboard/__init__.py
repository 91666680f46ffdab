"""`dashboard`: a read-only page on this machine, live by watches, with the rights of whoever starts it.

    watches ──> following (threads) ──> views (pure: what the page shows, as JSON) ──> feed ──> differences (pure)
                                                                                        │
    browser <── Server-Sent Events <── server <── visitors (pure: who may ask) <────────┘

The page itself, in ``page/``, is plain HTML, CSS and ECMAScript modules: nothing is built, nothing comes from
elsewhere, and text from objects becomes text nodes only.
"""
