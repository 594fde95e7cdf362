metadata description = 'The workbook: is it healthy, what changed, which mailboxes fail and why, how close are limits, who waits for what.'

@description('Short name of this installation.')
param environmentName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the workspace that the queries read.')
param workspaceName string

var panels = [
  {
    name: 'health'
    title: 'Is it healthy? Each tenant\'s last run'
    visualization: 'table'
    query: loadTextContent('workbook/health.kql')
  }
  {
    name: 'runs'
    title: 'Runs by outcome'
    visualization: 'barchart'
    query: loadTextContent('workbook/runs.kql')
  }
  {
    name: 'waiting'
    title: 'Who waits for what'
    visualization: 'table'
    query: loadTextContent('workbook/waiting.kql')
  }
  {
    name: 'changes'
    title: 'What changed'
    visualization: 'table'
    query: loadTextContent('workbook/changes.kql')
  }
  {
    name: 'mailboxes'
    title: 'Which mailboxes fail, and why'
    visualization: 'table'
    query: loadTextContent('workbook/mailboxes.kql')
  }
  {
    name: 'problems'
    title: 'What was worth a look'
    visualization: 'table'
    query: loadTextContent('workbook/problems.kql')
  }
  {
    name: 'limits'
    title: 'How close are the limits'
    visualization: 'table'
    query: loadTextContent('workbook/limits.kql')
  }
  {
    name: 'duration'
    title: 'Minutes a run, against the 55 of the host'
    visualization: 'timechart'
    query: loadTextContent('workbook/duration.kql')
  }
  {
    name: 'shards'
    title: 'Runs in shards, step by step'
    visualization: 'table'
    query: loadTextContent('workbook/shards.kql')
  }
  {
    name: 'secrets'
    title: 'Secrets that end soon'
    visualization: 'table'
    query: loadTextContent('workbook/secrets.kql')
  }
]

var heading = {
  type: 1
  name: 'heading'
  content: {
    json: '# Contacts Mirror\nNo person is named here. What a code means and what to do stands in docs/operations.md.'
  }
}

var day = 86400000
var timeRange = {
  type: 9
  name: 'parameters'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    parameters: [
      {
        id: guid(resourceGroup().id, 'TimeRange')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time range'
        type: 4
        isRequired: true
        value: {
          durationMs: 7 * day
        }
        typeSettings: {
          allowCustom: true
          selectableValues: [
            {
              durationMs: day
            }
            {
              durationMs: 7 * day
            }
            {
              durationMs: 30 * day
            }
          ]
        }
      }
    ]
  }
}

var queries = [for panel in panels: {
  type: 3
  name: panel.name
  content: {
    version: 'KqlItem/1.0'
    title: panel.title
    query: panel.query
    size: 0
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    timeContextFromParameter: 'TimeRange'
    visualization: panel.visualization
    noDataMessage: 'Nothing in this time range.'
    noDataMessageStyle: 3
  }
}]

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: workspaceName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'contacts-mirror', environmentName)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Contacts Mirror ${environmentName}'
    category: 'workbook'
    sourceId: workspace.id
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([
        heading
        timeRange
      ], queries)
      fallbackResourceIds: [
        workspace.id
      ]
    })
  }
}
