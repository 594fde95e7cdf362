"""A stand-in for the Azure CLI: `python directory.py WORDS...` answers from the JSON file in FAKE_DIRECTORY.

It notes every call, knows the few requests that grant.sh makes, and refuses every other one.
"""

import json
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

GRAPH = "00000003-0000-0000-c000-000000000000"
GRAPH_OBJECT = "99999999-0000-4000-8000-000000000000"
ROLES = {
    "User.Read.All": "aaaaaaaa-0000-4000-8000-000000000001",
    "Contacts.ReadWrite": "aaaaaaaa-0000-4000-8000-000000000002",
}
EMPTY: dict[str, Any] = {
    "principals": {GRAPH: GRAPH_OBJECT},
    "grants": {},
    "federated": {},
    "calls": [],
    "cloud": "AzureCloud",
}
ENDPOINTS = {
    "AzureCloud": ("https://login.microsoftonline.com", "https://graph.microsoft.com/"),
    "AzureUSGovernment": ("https://login.microsoftonline.us", "https://graph.microsoft.us/"),
}


def answer(state: dict[str, Any], words: list[str]) -> str:
    """What the CLI prints with `--output tsv`; raises `LookupError` for what is not there."""
    if state.get("signed_out"):
        raise LookupError("Please run 'az login' to setup account.")
    command = " ".join(words[: next((place for place, word in enumerate(words) if word.startswith("--")), len(words))])
    options = {word: value for word, value in pairwise(words) if word.startswith("--")}
    return str(COMMANDS[command](state, options))


def _show_principal(state: dict[str, Any], options: dict[str, str]) -> str:
    if wanted := re.search(r"value=='([\w.]+)'", options["--query"]):
        return ROLES.get(wanted[1], "")
    return str(state["principals"][options["--id"]])


def _create_principal(state: dict[str, Any], options: dict[str, str]) -> str:
    return str(state["principals"].setdefault(options["--id"], f"object-of-{options['--id']}"))


def _rest(state: dict[str, Any], options: dict[str, str]) -> str:
    base = f"{ENDPOINTS[state['cloud']][1]}v1.0/servicePrincipals/"
    found = re.fullmatch(rf"{re.escape(base)}([^/]+)/appRoleAssignments(?:/(\S+))?", options["--url"])
    assert found, options["--url"]
    grants = state["grants"].setdefault(found[1], {})
    if options["--method"] == "POST":
        body = json.loads(options["--body"])
        assert (body["principalId"], body["resourceId"]) == (found[1], GRAPH_OBJECT)
        grants[body["appRoleId"]] = f"grant-{len(grants)}"
        return "{}"
    if options["--method"] == "DELETE":
        (role,) = (role for role, grant in grants.items() if grant == found[2])
        del grants[role]
        return ""
    wanted = re.search(r"appRoleId=='([\w-]+)' && resourceId=='([\w-]+)'", options["--query"])
    assert wanted
    assert wanted[2] == GRAPH_OBJECT
    return str(grants.get(wanted[1], ""))


def _list_federated(state: dict[str, Any], options: dict[str, str]) -> str:
    wanted = re.search(r"subject=='([\w-]+)'", options["--query"])
    assert wanted
    known = state["federated"].get(options["--id"], [])
    return next((one["name"] for one in known if one["subject"] == wanted[1]), "")


def _create_federated(state: dict[str, Any], options: dict[str, str]) -> str:
    state["federated"].setdefault(options["--id"], []).append(json.loads(options["--parameters"]))
    return "{}"


def _cloud(state: dict[str, Any], options: dict[str, str]) -> str:
    login, graph = ENDPOINTS[state["cloud"]]
    names = {"name": state["cloud"], "endpoints.activeDirectory": login, "endpoints.microsoftGraphResourceId": graph}
    return str(names[options["--query"]])


COMMANDS = {
    "ad sp show": _show_principal,
    "ad sp create": _create_principal,
    "rest": _rest,
    "ad app federated-credential list": _list_federated,
    "ad app federated-credential create": _create_federated,
    "account show": lambda _state, _options: "home-tenant",
    "cloud show": _cloud,
}


def main() -> int:
    """Answer one command."""
    file, words = Path(os.environ["FAKE_DIRECTORY"]), sys.argv[1:]
    state = json.loads(file.read_text(encoding="utf-8"))
    state["calls"].append(words)
    try:
        text = answer(state, words)
    except LookupError as error:
        print(f"ERROR: {error}", file=sys.stderr)  # noqa: T201 - as the CLI does
        return 1
    finally:
        file.write_text(json.dumps(state), encoding="utf-8")
    if text:
        print(text)  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
