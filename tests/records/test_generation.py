from planish.records.generation import Event


def test_a_token_that_replaces_itself_was_let_pass() -> None:
    assert Event(rule="lily", position=0, rejected=3, replacement=3).let_pass
    assert not Event(rule="lily", position=0, rejected=3, replacement=4).let_pass
    assert not Event(rule="lily", position=0, rejected=3).let_pass
