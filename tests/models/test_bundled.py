from planish.models.bundled import human_profile_path, slop_index_rules


def test_the_slop_index_lists_each_tic_once_and_why() -> None:
    rules = slop_index_rules()
    assert 100 < len(rules) < 1000
    assert len({rule.text for rule in rules}) == len(rules)
    assert all(rule.kind == "phrase" and rule.reason for rule in rules)
    assert {"elara", "testament to"} <= {rule.text for rule in rules}


def test_every_entry_of_the_slop_index_is_surely_overused() -> None:
    for rule in slop_index_rules():
        assert rule.overuse is not None
        assert rule.overuse.q <= 0.05
        assert rule.overuse.z > 0
        assert rule.overuse.rate_per_1k_words > 5 * rule.overuse.human_rate_per_1k_words


def test_the_human_profile_is_small() -> None:
    assert human_profile_path().stat().st_size < 8_000_000
