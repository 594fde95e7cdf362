metadata description = 'The alerts: each is a query whose rows are the trouble, so that every rule fires when there is one row or more.'

@description('Short name of this installation.')
param environmentName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the workspace that the queries read.')
param workspaceName string

@description('E-mail addresses, with commas between them; empty for none.')
param emails string

@description('Alert when no run has ended for so long.')
param missingRunWindow string

// Severity: 1 error, 2 warning, 3 informational. What a window holds must not depend on a single run of an hourly schedule.
var alerts = [
  {
    name: 'run-failed'
    title: 'a tenant was not mirrored'
    severity: 1
    frequency: 'PT15M'
    window: 'PT2H'
    query: loadTextContent('alerts/run-failed.kql')
  }
  {
    name: 'run-missing'
    title: 'no run has ended'
    severity: 1
    frequency: 'PT30M'
    window: missingRunWindow
    query: loadTextContent('alerts/run-missing.kql')
  }
  {
    name: 'run-unfinished'
    title: 'a run was cut off'
    severity: 2
    frequency: 'PT30M'
    window: 'PT3H'
    query: loadTextContent('alerts/run-unfinished.kql')
  }
  {
    name: 'run-stuck'
    title: 'a run in shards does not end'
    severity: 1
    frequency: 'PT30M'
    window: 'PT3H'
    query: loadTextContent('alerts/run-stuck.kql')
  }
  {
    name: 'deletions-refused'
    title: 'deletions wait for a decision'
    severity: 1
    frequency: 'PT15M'
    window: 'PT2H'
    query: loadTextContent('alerts/deletions-refused.kql')
  }
  {
    name: 'throttled'
    title: 'Graph slows the mirror down'
    severity: 3
    frequency: 'PT1H'
    window: 'PT3H'
    query: loadTextContent('alerts/throttled.kql')
  }
  {
    name: 'out-of-time'
    title: 'runs end by their time budget'
    severity: 3
    frequency: 'PT1H'
    window: 'PT6H'
    query: loadTextContent('alerts/out-of-time.kql')
  }
  {
    name: 'mailbox-failing'
    title: 'a mailbox keeps failing'
    severity: 3
    frequency: 'PT1H'
    window: 'P1D'
    query: loadTextContent('alerts/mailbox-failing.kql')
  }
  {
    name: 'card-refused'
    title: 'Exchange refuses a card'
    severity: 3
    frequency: 'PT1H'
    window: 'P1D'
    query: loadTextContent('alerts/card-refused.kql')
  }
  {
    name: 'secret-expiring'
    title: 'a secret ends soon'
    severity: 2
    frequency: 'PT1H'
    window: 'P1D'
    query: loadTextContent('alerts/secret-expiring.kql')
  }
  {
    name: 'message-poisoned'
    title: 'a run that was asked for, or handed over, was lost'
    severity: 2
    frequency: 'PT30M'
    window: 'PT1H'
    query: loadTextContent('alerts/message-poisoned.kql')
  }
  {
    name: 'mirror-fault'
    title: 'the mirror itself is at fault'
    severity: 2
    frequency: 'PT30M'
    window: 'PT2H'
    query: loadTextContent('alerts/mirror-fault.kql')
  }
]
var addresses = empty(emails) ? [] : split(replace(emails, ' ', ''), ',')

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-contacts-mirror-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'contacts'
    enabled: true
    emailReceivers: [for (address, i) in addresses: {
      name: 'mail-${i}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

// The validation is skipped, because tables begin to exist with their first row.
resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [for alert in alerts: {
  name: 'alert-contacts-mirror-${environmentName}-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Contacts Mirror ${environmentName}: ${alert.title}'
    description: 'What to do: docs/operations.md, "Alerts", ${alert.name}.'
    enabled: true
    severity: alert.severity
    evaluationFrequency: alert.frequency
    windowSize: alert.window
    scopes: [
      workspace.id
    ]
    autoMitigate: true
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]
