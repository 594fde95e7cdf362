targetScope = 'resourceGroup'

metadata name = 'Contacts Mirror'
metadata description = 'The Function app that mirrors contacts, and what it needs: identity, storage, vault, logs, alerts, workbook.'

@description('Short name of this installation, part of every resource name: lower-case letters, digits and hyphens.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Azure region of everything but the action group and the private DNS zones, which are global.')
param location string = resourceGroup().location

@description('When the timer runs, in UTC: NCRONTAB with six fields, seconds first. Every hour by default.')
param schedule string = '0 0 * * * *'

@description('Plan everything and write nothing. Switch it off once a dry run shows what you expect.')
param dryRun bool = true

@description('Stop a run cleanly after so many minutes. It must stay below functionTimeout in host.json.')
@minValue(1)
@maxValue(52)
param timeBudgetMinutes int = 50

@description('How a tenant is mirrored: in one process, in shards over several, or (auto) in shards only beyond 2,000 mailboxes.')
@allowed([
  'auto'
  'inline'
  'durable'
])
param scaleOut string = 'inline'

@description('Secret of the vault that holds the configuration: the tenants and their settings, as JSON.')
param configSecretName string = 'synccontacts-config'

@description('Further app settings, by their names in docs/configuration.md. They win against the ones made here.')
param extraSettings object = {}

@description('Memory of an instance. 512 serves up to some thousand contacts; 2048 and 4096 serve more, and cost more per second.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('How many instances each function may have at most. Runs of a tenant never overlap, so few are enough.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Spread storage and plan over availability zones. The region must have them.')
param isZoneRedundant bool = false

@description('Reach storage and vault through private endpoints only, and close their public addresses.')
param isNetworkIsolated bool = false

@description('Address range of the virtual network, a /24 or larger; used only with isNetworkIsolated.')
param networkPrefix string = '10.83.0.0/24'

@description('Who gets the alerts: e-mail addresses, with commas between them. Empty: alerts show in the portal only.')
param alertEmails string = ''

@description('Alert when no run has ended for so long. More than the longest gap in the schedule; nights and weekends count.')
@allowed([
  'PT2H'
  'PT3H'
  'PT6H'
  'P1D'
  'P2D'
])
param missingRunWindow string = 'PT3H'

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Logs that are taken in a day at most, in GB: a ceiling for the bill. Beyond it logs are lost and alerts are blind.')
@minValue(1)
param dailyLogQuotaGb int = 1

@description('Object id of who writes secrets into the vault: gets Key Vault Secrets Officer. Empty: nobody.')
param operatorPrincipalId string = ''

@description('What the operator is.')
@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param operatorPrincipalType string = 'User'

@description('Tags of every resource.')
param tags object = {}

var allTags = union({
  'azd-env-name': environmentName
  application: 'contacts-mirror'
}, tags)
var suffix = uniqueString(resourceGroup().id, environmentName)

module identity 'identity.bicep' = {
  name: 'identity'
  params: {
    name: 'id-contacts-mirror-${environmentName}'
    location: location
    tags: allTags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGb: dailyLogQuotaGb
  }
}

module storage 'storage.bicep' = {
  name: 'storage'
  params: {
    name: take('stmirror${suffix}', 24)
    location: location
    tags: allTags
    isZoneRedundant: isZoneRedundant
    isNetworkIsolated: isNetworkIsolated
    workspaceName: monitoring.outputs.workspaceName
  }
}

module vault 'vault.bicep' = {
  name: 'vault'
  params: {
    name: take('kv-mirror-${suffix}', 24)
    location: location
    tags: allTags
    isNetworkIsolated: isNetworkIsolated
    workspaceName: monitoring.outputs.workspaceName
  }
}

module roles 'roles.bicep' = {
  name: 'roles'
  params: {
    identityName: identity.outputs.name
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module network 'network.bicep' = if (isNetworkIsolated) {
  name: 'network'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    prefix: networkPrefix
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
  }
}

module app 'app.bicep' = {
  name: 'app'
  params: {
    name: 'func-contacts-mirror-${environmentName}-${take(suffix, 6)}'
    planName: 'plan-contacts-mirror-${environmentName}'
    location: location
    tags: allTags
    identityName: identity.outputs.name
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    subnetId: isNetworkIsolated ? network!.outputs.functionSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    isZoneRedundant: isZoneRedundant
    schedule: schedule
    dryRun: dryRun
    timeBudgetMinutes: timeBudgetMinutes
    scaleOut: scaleOut
    configSecretName: configSecretName
    extraSettings: extraSettings
  }
  dependsOn: [
    roles
  ]
}

module alerts 'alerts.bicep' = {
  name: 'alerts'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    workspaceName: monitoring.outputs.workspaceName
    emails: alertEmails
    missingRunWindow: missingRunWindow
  }
}

module workbook 'workbook.bicep' = {
  name: 'workbook'
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    workspaceName: monitoring.outputs.workspaceName
  }
}

@description('Name of the Function app: for func, az and azd.')
output functionAppName string = app.outputs.name

@description('Name of the vault that the configuration and the secrets go into.')
output keyVaultName string = vault.outputs.name

@description('Name of the storage account that holds queues, state and package.')
output storageAccountName string = storage.outputs.name

@description('Object id of the app\'s identity: the subject of a federated credential.')
output identityPrincipalId string = identity.outputs.principalId
