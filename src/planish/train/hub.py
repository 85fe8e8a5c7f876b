"""Putting a folder on the Hub: a model or a dataset, and only when asked to."""

import os
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from planish.errors import PlanishError, UsageError
from planish.runs.secret import REDACTED

TOKEN_VARIABLE = "HF_TOKEN"
LONGEST_REASON = 300


def push_folder(folder: Path, repo: str, kind: Literal["model", "dataset"], private: bool) -> str:
    """Upload all that is in a folder as one commit; the repository is made if there is none.

    The token is what the environment holds in HF_TOKEN; it is shown and written nowhere.

    Args:
        folder: what is uploaded.
        repo: owner/name.
        kind: of repository.
        private: whether only its owner may see it. One that is there and public is refused then.

    Returns: its address.

    Raises:
        UsageError: the name is none, the folder is empty, or there is no token.
        PlanishError: the Hub refuses, is not reached, or would show to all what is to be private.
    """
    if not folder.is_dir() or not any(folder.iterdir()):
        raise UsageError(f"there is nothing to upload in {folder}", "give a folder with files")
    token = token_for(repo)
    hub = HfApi(token=token, library_name="planish")
    try:
        url = hub.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        # To ask for a private one changes nothing where one is already.
        is_public = private and not hub.repo_info(repo, repo_type=kind).private
        if not is_public:
            hub.upload_folder(repo_id=repo, folder_path=folder, repo_type=kind, commit_message="Upload by planish")
    except HFValidationError:  # the first call checks it, before anything is sent
        raise _no_name(repo) from None
    except Exception as error:  # each of the ways to upload fails in its own way
        reason = " ".join(str(error).split()).replace(token, REDACTED) or type(error).__name__
        hint = "is the Hub reached from here?"
        if isinstance(error, HfHubHTTPError):
            hint = f"may the token in {TOKEN_VARIABLE} write there?"
        raise PlanishError(f"cannot upload to {repo}: {reason[:LONGEST_REASON]}", hint) from None
    if is_public:
        raise PlanishError(f"{repo} is public, and the upload is to be private", "give another name")
    return str(url)


def token_for(repo: str) -> str:
    """What lets one write to a repository; asked for before the work, it spares hours.

    Raises:
        UsageError: the name is none, or there is no token.
    """
    if repo.count("/") != 1:
        raise _no_name(repo)
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise UsageError(f"nothing goes to {repo} without a token", f"set {TOKEN_VARIABLE} to one that may write there")
    return token


def _no_name(repo: str) -> UsageError:
    return UsageError(f"{repo!r} is no name of a repository", "write it like your-name/model-name")
