// The judge `oav`: node oav.js OPENAPI_FOLDER LOGS_FOLDER
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const oav = require('oav');

const [contract, logs] = process.argv.slice(2).map((it) => path.resolve(it));
// The one version that there are files of. Bodies do not depend on the version that was asked for, so all are judged as this one.
const version = '2024-01-01';

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
  const unknown = new Map();
  const problems = new Map();
  const note = (exchange, issue) => {
    const where = `${exchange.method} ${exchange.path.replace(/.*\/providers\//, '')} ${exchange.status}`;
    const key = `${issue.code} ${issue.message} ${(issue.pathsInPayload || []).join(' ')}`;
    if (!problems.has(key)) problems.set(key, where);
  };
  for (const file of files(logs)) {
    for (const exchange of JSON.parse(fs.readFileSync(file, 'utf8')).filter(judged)) {
      const query = Object.fromEntries(new URLSearchParams(exchange.query));
      if (!query['api-version']) continue;
      query['api-version'] = version;
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
          const [, kind] = exchange.path.match(/\/providers\/([^/]+\/[^/]+)/) || [null, 'accounts and groups'];
          unknown.set(kind.toLowerCase(), (unknown.get(kind.toLowerCase()) || 0) + 1);
          continue;
        }
        throw new Error(`${exchange.path}: ${error.code} ${error.message}`);
      }
      count += 1;
      // A request that was refused may well have been wrong.
      if (exchange.status < 400) request.errors.forEach((issue) => note(exchange, issue));
      response.errors.forEach((issue) => note(exchange, issue));
    }
  }
  for (const [issue, where] of problems) console.log(`${issue}\n  in ${where}`);
  const rest = [...unknown].map(([kind, times]) => `${kind} ${times}`).join(', ');
  console.log(`oav: ${count} exchanges judged, ${problems.size} kinds of problems; no specification for: ${rest || 'nothing'}`);
  process.exit(problems.size === 0 && count > 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
