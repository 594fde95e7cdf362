metadata description = 'The way to storage and vault when they have no public address: a network, private endpoints, and their names.'

@description('Short name of this installation.')
param environmentName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Address range, a /24 or larger: a quarter of it for the app, a quarter for the endpoints.')
param prefix string

@description('Name of the storage account.')
param storageName string

@description('Name of the vault.')
param vaultName string

resource storage 'Microsoft.Storage/storageAccounts@2026-04-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

var links = [
  {
    name: 'blob'
    targetId: storage.id
    zone: 'privatelink.blob.${environment().suffixes.storage}'
  }
  {
    name: 'queue'
    targetId: storage.id
    zone: 'privatelink.queue.${environment().suffixes.storage}'
  }
  {
    name: 'table'
    targetId: storage.id
    zone: 'privatelink.table.${environment().suffixes.storage}'
  }
  {
    name: 'vault'
    targetId: vault.id
    zone: 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
  }
]

resource guarded 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: 'nsg-contacts-mirror-${environmentName}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: 'vnet-contacts-mirror-${environmentName}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        prefix
      ]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: cidrSubnet(prefix, 26, 0)
          networkSecurityGroup: {
            id: guarded.id
          }
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(prefix, 26, 1)
          networkSecurityGroup: {
            id: guarded.id
          }
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for link in links: {
  name: link.zone
  location: 'global'
  tags: tags
}]

resource zoneLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (link, i) in links: {
  parent: zones[i]
  name: 'contacts-mirror-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-01-01' = [for link in links: {
  name: 'pe-contacts-mirror-${environmentName}-${link.name}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: '${network.id}/subnets/endpoints'
    }
    privateLinkServiceConnections: [
      {
        name: link.name
        properties: {
          privateLinkServiceId: link.targetId
          groupIds: [
            link.name
          ]
        }
      }
    ]
  }
}]

resource endpointNames 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [for (link, i) in links: {
  parent: endpoints[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: link.name
        properties: {
          privateDnsZoneId: zones[i].id
        }
      }
    ]
  }
}]

@description('Subnet that the app sends from.')
output functionSubnetId string = '${network.id}/subnets/functions'
