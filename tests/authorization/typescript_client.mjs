// A client of the TypeScript SDK: node typescript_client.mjs new|old ADDRESS TOKEN -> prints what it saw as JSON.
const [generation, address, token] = process.argv.slice(2);
const options = { requestInit: { headers: { Authorization: `Bearer ${token}` } } };
const who = { name: 'typescript', version: '1' };
const capabilities = { elicitation: { form: {} } };
const questions = [];

async function connected() {
  if (generation === 'old') {
    const { Client } = await import('@modelcontextprotocol/sdk/client/index.js');
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');
    const { ElicitRequestSchema } = await import('@modelcontextprotocol/sdk/types.js');
    const client = new Client(who, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, agree);
    await client.connect(new StreamableHTTPClientTransport(new URL(address), options));
    return client;
  }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client = new Client(who, { capabilities, versionNegotiation: { mode: 'auto' } });
  client.setRequestHandler('elicitation/create', agree);
  await client.connect(new StreamableHTTPClientTransport(new URL(address), options));
  return client;
}

async function agree(request) {
  questions.push(request.params.message);
  return { action: 'accept', content: {} };
}

const client = await connected();
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const told = (await client.callTool({ name: 'whoami', arguments: {} })).structuredContent;
const made = (await client.callTool({ name: 'create_lead', arguments: { lastname: 'Lund' } })).structuredContent;
const leadid = made.record.leadid;
const gone = await client.callTool({ name: 'delete_lead', arguments: { leadid } });
const missing = await client.callTool({ name: 'get_lead', arguments: { leadid } });
await client.close();
console.log(
  JSON.stringify({
    tools: tools.length,
    caller: told.caller,
    deleted: gone.structuredContent?.deleted?.leadid === leadid,
    questions,
    error: JSON.parse(missing.content[0].text).error.code,
  }),
);
process.exit(0);
