// A team's server on Azure Container Apps. docs/running.md says what has to exist before: the registry, a Key Vault
// with the four secrets, and a PostgreSQL.
//
//   az deployment group create --resource-group GROUP --template-file deploy/container-apps.bicep --parameters ...
targetScope = 'resourceGroup'

@description('Where it runs')
param location string = resourceGroup().location

@description('The image, such as contoso.azurecr.io/dynamics-crm-mcp:0.1.0')
param image string

@description('Name of the registry that the image is in')
param registryName string

@description('Name of the Key Vault with the secrets state, state-key, certificate and page-secret')
param keyVaultName string

@description('Address of the environment, such as https://contoso.crm.dynamics.com')
param dynamicsUrl string

@description('Address by which clients reach the server; a custom domain or the one that Container Apps gives')
param publicUrl string

@description('Application (client) id of the registration that callers get tokens for')
param clientId string

@description('Directory (tenant) id')
param tenantId string = subscription().tenantId

@description('Preset or policy file')
param policy string = 'sales-assistant'

@minValue(2)
@maxValue(100)
param minReplicas int = 3

@minValue(2)
@maxValue(300)
param maxReplicas int = 12

@description('URI of the application, such as api://TENANT-ID/crm-mcp.contoso.example')
param audience string

var acrPull = '7f951dda-4ed3-4680-a7ca-43fe172d538d'
var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var secrets = '/mnt/secrets'
var port = 8321

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'crm-mcp'
  location: location
}

resource mayPull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, acrPull)
  scope: registry
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', acrPull)
  }
}

resource mayReadSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'crm-mcp'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource platform 'Microsoft.App/managedEnvironments@2024-03-01' = {
  name: 'crm-mcp'
  location: location
  properties: {
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: logs.properties.customerId
        sharedKey: logs.listKeys().primarySharedKey
      }
    }
  }
}

resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: 'crm-mcp'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  dependsOn: [
    mayPull
    mayReadSecrets
  ]
  properties: {
    managedEnvironmentId: platform.id
    configuration: {
      activeRevisionsMode: 'Single'
      ingress: {
        external: true
        targetPort: port
        transport: 'http'
        allowInsecure: false
      }
      registries: [
        {
          server: registry.properties.loginServer
          identity: identity.id
        }
      ]
      secrets: [
        {
          name: 'state'
          keyVaultUrl: '${vault.properties.vaultUri}secrets/state'
          identity: identity.id
        }
        {
          name: 'state-key'
          keyVaultUrl: '${vault.properties.vaultUri}secrets/state-key'
          identity: identity.id
        }
        {
          name: 'page-secret'
          keyVaultUrl: '${vault.properties.vaultUri}secrets/page-secret'
          identity: identity.id
        }
        {
          name: 'certificate'
          keyVaultUrl: '${vault.properties.vaultUri}secrets/certificate'
          identity: identity.id
        }
      ]
    }
    template: {
      // More than DYNAMICS_DRAIN_SECONDS.
      terminationGracePeriodSeconds: 40
      containers: [
        {
          name: 'server'
          image: image
          resources: {
            cpu: json('1.0')
            memory: '2Gi'
          }
          env: [
            { name: 'DYNAMICS_URL', value: dynamicsUrl }
            { name: 'DYNAMICS_PUBLIC_URL', value: publicUrl }
            { name: 'DYNAMICS_AUTH', value: 'on-behalf-of' }
            { name: 'DYNAMICS_TENANT_ID', value: tenantId }
            { name: 'DYNAMICS_CLIENT_ID', value: clientId }
            { name: 'DYNAMICS_CERTIFICATE', value: '${secrets}/certificate' }
            { name: 'DYNAMICS_CALLERS_ISSUER', value: '${environment().authentication.loginEndpoint}${tenantId}/v2.0' }
            { name: 'DYNAMICS_CALLERS_AUDIENCE', value: '${audience},${clientId}' }
            { name: 'DYNAMICS_PAGE_CLIENT_ID', value: clientId }
            { name: 'DYNAMICS_PAGE_CLIENT_SECRET', secretRef: 'page-secret' }
            { name: 'DYNAMICS_POLICY', value: policy }
            { name: 'DYNAMICS_STATE', secretRef: 'state' }
            { name: 'DYNAMICS_STATE_KEY', value: '${secrets}/state-key' }
            { name: 'DYNAMICS_DRAIN_SECONDS', value: '25' }
          ]
          volumeMounts: [
            { volumeName: 'secrets', mountPath: secrets }
            { volumeName: 'state', mountPath: '/home/crm/.local/state' }
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/healthz', port: port }
              periodSeconds: 2
              failureThreshold: 30
            }
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: port }
              periodSeconds: 10
              timeoutSeconds: 5
            }
            {
              type: 'Readiness'
              httpGet: { path: '/readyz', port: port }
              periodSeconds: 5
              timeoutSeconds: 4
            }
          ]
        }
      ]
      volumes: [
        {
          name: 'secrets'
          storageType: 'Secret'
          secrets: [
            { secretRef: 'state-key', path: 'state-key' }
            { secretRef: 'certificate', path: 'certificate' }
          ]
        }
        {
          name: 'state'
          storageType: 'EmptyDir'
        }
      ]
      scale: {
        minReplicas: minReplicas
        maxReplicas: maxReplicas
        rules: [
          {
            name: 'concurrent-requests'
            http: {
              metadata: {
                // Calls and streams of events, which are requests as well.
                concurrentRequests: '100'
              }
            }
          }
        ]
      }
    }
  }
}

output address string = 'https://${app.properties.configuration.ingress.fqdn}'
output principalId string = identity.properties.principalId
