// A provider of identities: npm's oidc-provider, a certified implementation of OpenID Connect. Its address is printed as
// soon as it is known; where people come back is read from standard input. `POST /members?of=NAME&groups=a,b` sets the
// groups of an account.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);

const groups = { admin: ['nac-admins'], lab: ['nac-lab'], visitor: ['guests'] };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { value: back } = await lines.next();
const provider = new Provider(issuer, {
  clients: [{ client_id: 'cordon', client_secret: 'a secret: with + and %', redirect_uris: [back] }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id, email: `${id}@corp.example`, groups: groups[id] ?? [] }),
  }),
});
const answer = provider.callback();
server.on('request', (request, response) => {
  const url = new URL(request.url, issuer);
  if (request.method === 'POST' && url.pathname === '/members') {
    groups[url.searchParams.get('of')] = url.searchParams.get('groups').split(',');
    response.end();
    return;
  }
  answer(request, response);
});
console.log('ready');
