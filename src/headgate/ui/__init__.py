"""The web console: what runs, what is wrong, and what any instance did. Server-rendered; it keeps
nothing.

Data flows one way: `window` and `facts` hold what was read, `watch` reads it, `wrong` judges it,
the pages show it, `actions` do what the command line's verbs do, and `guard` stands before all of
them.
"""
