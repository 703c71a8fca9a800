"""How far annotators agree beyond chance.

``gamma.gamma`` (where and what, all annotators), ``unitized_alpha.unitized_alpha_by_hand``,
``framewise.framewise_by_hand``; ``alignment`` and ``exact`` hold the search behind γ and consensus.
"""
