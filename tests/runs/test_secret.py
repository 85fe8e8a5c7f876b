import pytest

from planish.errors import UsageError
from planish.runs.secret import redact, refuse_secrets


@pytest.mark.parametrize(
    "name", ["token", "hf_token", "HF_TOKEN", "api_key", "apiKey", "OPENAI_API_KEY", "api-key", "password", "secret"]
)
def test_a_setting_with_a_secret_name_is_refused_by_name_without_its_value(name: str) -> None:
    for config in ({name: "hunter2"}, {"server": {name: "hunter2"}}):
        with pytest.raises(UsageError, match=name) as caught:
            refuse_secrets(config)
        assert "environment" in caught.value.hint
        assert "hunter2" not in caught.value.message + caught.value.hint


def test_ordinary_settings_are_no_secrets() -> None:
    config = {"max_tokens": 200, "tokens": "all", "monkey": "a", "keyboard": "b", "url": "http://localhost:8000/v1"}
    refuse_secrets({**config, "api_key": "", "list": ["x"], "table": {"nan": float("nan")}})
    assert redact(config) == config


def test_a_password_within_a_url_is_refused() -> None:
    with pytest.raises(UsageError, match="engine"):
        refuse_secrets({"engine": "https://me:hunter2@host/v1"})


def test_what_a_secret_variable_holds_is_redacted_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-123456789")
    assert "123456789" not in str(redact({"error": "401 for sk-123456789", "deep": [{"a": ("sk-123456789",)}]}))
    with pytest.raises(UsageError, match="header"):
        refuse_secrets({"header": "Bearer sk-123456789"})
