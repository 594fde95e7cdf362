<#
.SYNOPSIS
    Limits the mirror to some mailboxes: RBAC for Applications in Exchange Online.
.DESCRIPTION
    Grants 'Application Contacts.ReadWrite' for the mailboxes that carry a custom attribute, for a group, or for an
    administrative unit. Run again, it changes nothing that is right already; -WhatIf shows what would be done.
    Grants add up: take the tenant-wide one away with grant.sh graph --app CLIENT_ID --scoped.
    You need the role Exchange Administrator and the module ExchangeOnlineManagement, and are connected
    (Connect-ExchangeOnline).
.EXAMPLE
    ./scope-mailboxes.ps1 -AppId CLIENT_ID -ObjectId ENTERPRISE_APP_OBJECT_ID -Mailbox hub@contoso.com, user1@contoso.com -WhatIf
#>
[CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium')]
param(
    # The application (client) id.
    [Parameter(Mandatory)] [guid] $AppId,
    # The object id of the enterprise application, not of the app registration.
    [Parameter(Mandatory)] [guid] $ObjectId,
    # Mailboxes to mark, the shared mailbox among them; those marked before stay.
    [string[]] $Mailbox = @(),
    # What limits the scope; the default is the mark.
    [string] $RecipientFilter = "CustomAttribute15 -eq 'contacts-mirror'",
    [string] $Name = 'Contacts Mirror'
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

if (-not (Get-Command Get-ManagementScope -ErrorAction SilentlyContinue)) {
    throw 'Not connected to Exchange Online: run Connect-ExchangeOnline first.'
}

if (-not (Get-ServicePrincipal | Where-Object { "$($_.AppId)" -eq "$AppId" })) {
    if ($PSCmdlet.ShouldProcess($AppId, 'New-ServicePrincipal')) {
        New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName $Name | Out-Null
    }
}

$scope = Get-ManagementScope | Where-Object { $_.Name -eq $Name }
if (-not $scope) {
    if ($PSCmdlet.ShouldProcess($Name, "New-ManagementScope $RecipientFilter")) {
        New-ManagementScope -Name $Name -RecipientRestrictionFilter $RecipientFilter | Out-Null
    }
} elseif ($PSBoundParameters.ContainsKey('RecipientFilter') -and "$($scope.RecipientFilter)" -ne $RecipientFilter) {
    if ($PSCmdlet.ShouldProcess($Name, "Set-ManagementScope $RecipientFilter")) {
        Set-ManagementScope -Identity $Name -RecipientRestrictionFilter $RecipientFilter
    }
}

if (-not (Get-ManagementRoleAssignment | Where-Object { $_.Name -eq $Name })) {
    if ($PSCmdlet.ShouldProcess($Name, 'New-ManagementRoleAssignment Application Contacts.ReadWrite')) {
        New-ManagementRoleAssignment -Name $Name -App $ObjectId -Role 'Application Contacts.ReadWrite' `
            -CustomResourceScope $Name | Out-Null
    }
}

foreach ($one in $Mailbox) {
    if ((Get-Mailbox -Identity $one).CustomAttribute15 -ne 'contacts-mirror') {
        if ($PSCmdlet.ShouldProcess($one, 'Set-Mailbox -CustomAttribute15 contacts-mirror')) {
            Set-Mailbox -Identity $one -CustomAttribute15 'contacts-mirror'
        }
    }
}

if (-not $WhatIfPreference) {
    foreach ($one in $Mailbox) {
        Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource $one | Format-Table
    }
}
