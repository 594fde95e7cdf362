#!/usr/bin/env bash
# Grants what docs/permissions.md asks for, with the Azure CLI. Run again, it changes nothing that is right already.
#
#   grant.sh graph    --app CLIENT_ID [--scoped]               Graph's application permissions for an app registration
#   grant.sh graph    --principal OBJECT_ID [--scoped]         the same for a managed identity
#   grant.sh federate --app CLIENT_ID --principal OBJECT_ID    let the registration trust a managed identity: no secret
#   grant.sh consent  --app CLIENT_ID --tenant TENANT          the address at which another tenant's administrator agrees
#
#   --scoped     mailboxes are granted in Exchange (scope-mailboxes.ps1): the tenant-wide Contacts.ReadWrite is taken away
#   --dry-run    look, and show what would be done
#
# You are signed in (az login --tenant TENANT --allow-no-subscriptions) as Privileged Role Administrator or Global
# Administrator of the tenant that grants, for `federate` as an owner of the registration.
set -euo pipefail

GRAPH_APP=00000003-0000-0000-c000-000000000000 # Microsoft Graph, the same in every tenant
GUID='^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; }

fail() {
    echo "$1" >&2
    exit "${2:-1}"
}

need() { # need --option "$value": a required option that is a GUID
    [[ -n $2 ]] || fail "$1 is missing. $0 --help shows what is needed." 2
    [[ $2 =~ $GUID ]] || fail "$1 must be an id like 00000000-0000-0000-0000-000000000000, not '$2'." 2
}

change() { # change "what it does" command...: the only way to write
    local what=$1
    shift
    if [[ $dry_run ]]; then
        echo "would: $what"
    else
        "$@" >/dev/null || fail "Not done: $what. The message above is the Azure CLI's."
        echo "done: $what"
    fi
}

ask() { # ask command...: one value, empty when there is none
    "$@" --output tsv || fail "The Azure CLI cannot answer. Sign in: az login --tenant TENANT --allow-no-subscriptions."
}

service_principal() { # the object id that grants go to
    if [[ $principal ]]; then
        echo "$principal"
        return
    fi
    local found
    found=$(az ad sp show --id "$app" --query id --output tsv 2>/dev/null) || found=
    if [[ -z $found && -z $dry_run ]]; then
        found=$(ask az ad sp create --id "$app" --query id)
    fi
    echo "${found:-<enterprise application of $app>}"
}

role_id() { # the id of Graph's application permission of that name: looked up, since ids in scripts go stale unseen
    local id
    id=$(ask az ad sp show --id "$GRAPH_APP" --query \
        "appRoles[?value=='$1' && contains(allowedMemberTypes, 'Application')].id | [0]")
    [[ $id ]] || fail "Microsoft Graph has no application permission named $1."
    echo "$id"
}

assignment() { # the id of the grant of role $1 from Graph, if there is one
    [[ $sp == \<* ]] || ask az rest --method GET --url "$assignments" \
        --query "value[?appRoleId=='$1' && resourceId=='$graph'].id | [0]"
}

grant() {
    local role there
    role=$(role_id "$1")
    there=$(assignment "$role")
    if [[ $there ]]; then
        echo "is so: $1 is granted"
    else
        change "grant $1" az rest --method POST --url "$assignments" --headers Content-Type=application/json \
            --body "{\"principalId\": \"$sp\", \"resourceId\": \"$graph\", \"appRoleId\": \"$role\"}"
    fi
}

take_away() {
    local there
    there=$(assignment "$(role_id "$1")")
    if [[ $there ]]; then
        change "take the tenant-wide $1 away" az rest --method DELETE --url "$assignments/$there"
    else
        echo "is so: $1 is not granted tenant-wide"
    fi
}

graph_command() {
    [[ -z $app || -z $principal ]] || fail "Give --app or --principal, not both." 2
    if [[ $principal ]]; then need --principal "$principal"; else need --app "$app"; fi
    local url
    url=$(ask az cloud show --query endpoints.microsoftGraphResourceId)
    graph=$(ask az ad sp show --id "$GRAPH_APP" --query id)
    sp=$(service_principal)
    assignments="${url%/}/v1.0/servicePrincipals/$sp/appRoleAssignments"
    grant User.Read.All
    if [[ $scoped ]]; then take_away Contacts.ReadWrite; else grant Contacts.ReadWrite; fi
}

federate_command() {
    need --app "$app"
    need --principal "$principal"
    local home authority cloud audience there
    there=$(ask az ad app federated-credential list --id "$app" --query "[?subject=='$principal'].name | [0]")
    if [[ $there ]]; then
        echo "is so: the registration trusts $principal ($there)"
        return
    fi
    home=$(ask az account show --query tenantId)
    authority=$(ask az cloud show --query endpoints.activeDirectory)
    cloud=$(ask az cloud show --query name)
    case $cloud in # learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity
    AzureUSGovernment) audience=api://AzureADTokenExchangeUSGov ;;
    AzureChinaCloud) audience=api://AzureADTokenExchangeChina ;;
    *) audience=api://AzureADTokenExchange ;;
    esac
    local trust
    printf -v trust '{"name": "contacts-mirror-%s", "issuer": "%s/%s/v2.0", "subject": "%s", "audiences": ["%s"]}' \
        "${principal%%-*}" "${authority%/}" "$home" "$principal" "$audience"
    change "let the registration trust $principal" az ad app federated-credential create --id "$app" --parameters "$trust"
}

consent_command() {
    need --app "$app"
    [[ $tenant =~ ^[A-Za-z0-9.-]+$ ]] || fail "--tenant must be the other tenant's id or domain." 2
    local authority url
    authority=$(ask az cloud show --query endpoints.activeDirectory)
    url=$(ask az cloud show --query endpoints.microsoftGraphResourceId)
    echo "${authority%/}/$tenant/v2.0/adminconsent?client_id=$app&scope=${url%/}/.default"
}

command=${1:-}
[[ $# -eq 0 ]] || shift
app='' principal='' tenant='' scoped='' dry_run=''
while [[ $# -gt 0 ]]; do
    case $1 in
    --app | --principal | --tenant)
        [[ $# -ge 2 ]] || fail "$1 needs a value." 2
        printf -v "${1#--}" %s "$2"
        shift
        ;;
    --scoped) scoped=yes ;;
    --dry-run) dry_run=yes ;;
    --help | -h) command=--help ;;
    *) fail "Unknown option $1. $0 --help shows what there is." 2 ;;
    esac
    shift
done

case $command in
graph | federate | consent)
    command -v az >/dev/null || fail "The Azure CLI (az) is needed, and is not there." 2
    "${command}_command"
    ;;
--help | -h | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
