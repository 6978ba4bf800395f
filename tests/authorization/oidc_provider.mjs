// An issuer for tests: oidc-provider with one public client, one service, and its own forms for signing in.
// node oidc_provider.mjs RESOURCE REDIRECT_URI SECRET  -> prints its address once it listens.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [resource, redirectUri, secret] = process.argv.slice(2);
const server = createServer();

server.listen(0, '127.0.0.1', () => {
  const address = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(address, {
    clients: [
      {
        client_id: 'assistant',
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      {
        client_id: 'workflow',
        client_secret: secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: 'crm.read crm.write',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
        }),
      },
    },
    extraTokenClaims: (_ctx, token) => (token.kind === 'ClientCredentials' ? { roles: ['crm.read'] } : { roles: ['Salesperson'] }),
    scopes: ['openid', 'crm.read', 'crm.write'],
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    pkce: { required: () => true },
  });
  server.on('request', provider.callback());
  console.log(address);
});
