"""How each kind of flowable behaves: one file per kind, all with the same functions (`engine.draft.Behaviour`).

In come a task run, its node and rendered values; out go events. Nothing here knows stores, workers or clocks.
"""
