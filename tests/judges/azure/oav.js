// The judge `oav`: node oav.js OPENAPI_FOLDER LOGS_FOLDER
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const oav = require('oav');

const [contract, logs] = process.argv.slice(2).map((it) => path.resolve(it));
// The versions that there are files of. Bodies do not depend on the version that was asked for, so all are judged as these.
function version(exchange) {
  if (/\/providers\/Microsoft\.Network\/(routeTables|virtualNetworks|networkInterfaces)\b/i.test(exchange.path)) return '2024-01-01';
  if (/\/virtualMachineScaleSets\//i.test(exchange.path)) return '2018-10-01';
  return null;
}

// What is known to differ, and why it stands.
const known = [
  // Azure answers these though its specification does not have them (tape 22.2.0_base_vnet_subnet_nic_peering.json), and whoever
  // writes back what was read sends them.
  { part: 'any', code: 'OBJECT_ADDITIONAL_PROPERTIES', message: /: (kind|allowPort25Out)$/ },
  // Tests send fields that nobody knows, to see whether they are kept.
  { part: 'any', code: 'OBJECT_ADDITIONAL_PROPERTIES', message: /: (someday|somethingNew|later|unknown)$/ },
  // Whoever reads a resource and writes it back sends what is read-only, Azure's own clients too; Azure ignores it.
  { part: 'request', code: 'READONLY_PROPERTY_NOT_ALLOWED_IN_REQUEST', message: /./ },
  // A test has somebody write the type of a next hop in small letters, which Azure takes.
  { part: 'any', code: 'ENUM_CASE_MISMATCH', message: /: virtualappliance$/ },
  // The tape 22.2.0_endpoint_subnet_update.json says "disabled".
  { part: 'request', code: 'ENUM_CASE_MISMATCH', message: /: disabled$/ },
];

function* files(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'config') yield* files(name);
    else if (entry.name.endsWith('log.json')) yield name;
  }
}

// Only what the specifications are about, and what was answered: tests drop connections and give garbage on purpose.
function judged(exchange) {
  return exchange.service === 'arm' && exchange.status !== null
    && !(exchange.response_headers['content-type'] || '').startsWith('text/')
    && !/\/locations\/[^/]+\/operation/i.test(exchange.path);
}

async function main() {
  const validator = new oav.LiveValidator({
    directory: contract,
    swaggerPathsPattern: ['*.json'],
    git: { shouldClone: false },
    isPathCaseSensitive: false,
    loadValidatorInInitialize: true,
  });
  await validator.initialize();

  let count = 0;
  const unspecified = new Map();
  const problems = new Map();
  const note = (exchange, part, issue) => {
    const expected = known.some((it) => (it.part === part || it.part === 'any') && it.code === issue.code
      && it.message.test(issue.message));
    if (expected) return;
    const where = `${exchange.method} ${exchange.path.replace(/.*\/providers\//, '')} ${exchange.status}`;
    const key = `${part}: ${issue.code} ${issue.message} ${(issue.pathsInPayload || []).join(' ')}`;
    if (!problems.has(key)) problems.set(key, where);
  };
  for (const file of files(logs)) {
    for (const exchange of JSON.parse(fs.readFileSync(file, 'utf8')).filter(judged)) {
      const query = Object.fromEntries(new URLSearchParams(exchange.query));
      if (!query['api-version']) continue;
      const kind = (exchange.path.match(/\/providers\/([^/]+\/[^/]+)/) || [null, 'accounts and groups'])[1].toLowerCase();
      query['api-version'] = version(exchange);
      if (!query['api-version']) {
        unspecified.set(kind, (unspecified.get(kind) || 0) + 1);
        continue;
      }
      const result = await validator.validateLiveRequestResponse({
        liveRequest: {
          url: `${exchange.path}?${new URLSearchParams(query)}`,
          method: exchange.method, headers: exchange.request_headers, query, body: exchange.request_body ?? undefined,
        },
        liveResponse: {
          statusCode: String(exchange.status), headers: exchange.response_headers, body: exchange.response_body ?? undefined,
        },
      });
      const { requestValidationResult: request, responseValidationResult: response } = result;
      const error = result.runtimeException || request.runtimeException || response.runtimeException;
      if (error) {
        if (/OPERATION_NOT_FOUND/.test(error.code)) {
          unspecified.set(kind, (unspecified.get(kind) || 0) + 1);
          continue;
        }
        throw new Error(`${exchange.path}: ${error.code} ${error.message}`);
      }
      count += 1;
      // A request that was refused may well have been wrong.
      if (exchange.status < 400) request.errors.forEach((issue) => note(exchange, 'request', issue));
      response.errors.forEach((issue) => note(exchange, 'response', issue));
    }
  }
  for (const [issue, where] of problems) console.log(`${issue}\n  in ${where}`);
  const rest = [...unspecified].map(([kind, times]) => `${kind} ${times}`).join(', ');
  console.log(`oav: ${count} exchanges judged, ${problems.size} kinds of problems; no specification for: ${rest || 'nothing'}`);
  process.exit(problems.size === 0 && count > 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
