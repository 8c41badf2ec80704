// Cuts GitHub's description of its API to the paths that the forge asks for: whole, it takes the proxy 17 s and 350 MB
// to read. Prints it.
//
//   node cut.js FOLDER    where node_modules is
const path = require('node:path');

const whole = require(path.resolve(process.argv[2], 'node_modules/@octokit/openapi/generated/api.github.com.json'));
const repository = '/repos/{owner}/{repo}';
const used = {
  '/compare/{basehead}': ['get'],
  '/contents/{path}': ['get'],
  '/git/commits/{commit_sha}': ['get'],
  '/git/ref/{ref}': ['get'],
  '/pulls': ['get'],
  '/pulls/{pull_number}': ['get'],
  '/pulls/{pull_number}/files': ['get'],
  '/pulls/{pull_number}/merge': ['put'],
};

// What every answer may be, whatever was asked for. The description names such answers for few paths only; GitHub's
// documentation of rate limits, tokens and conditional requests names them for all.
const everywhere = { 304: null, 401: 'Error', 403: 'Error', 404: 'Error', 429: 'Error', 500: 'Error', 502: 'Error', 503: 'Error' };
const problem = { description: 'Error', content: { 'application/json': { schema: { $ref: '#/components/schemas/basic-error' } } } };

const paths = {};
for (const [tail, methods] of Object.entries(used)) {
  const of = whole.paths[repository + tail];
  paths[repository + tail] = Object.fromEntries(methods.map((method) => [method, of[method]]));
  for (const method of methods) {
    const { responses } = of[method];
    for (const [status, what] of Object.entries(everywhere)) {
      responses[status] ??= what ? structuredClone(problem) : { description: 'Not modified' };
    }
  }
}

// It says `application/json` where the documentation asks for GitHub's own types, and does not say that a file can be
// had as it is.
function types(node) {
  if (typeof node !== 'object' || node === null) return;
  const json = node.content?.['application/json'];
  if (json) node.content['application/vnd.github+json'] ??= json;
  Object.values(node).forEach(types);
}
const file = paths[`${repository}/contents/{path}`].get.responses[200];
file.content['application/vnd.github.raw'] = { schema: {} };

// Only what is referred to, from the paths on.
const components = {};
function keep(node) {
  if (typeof node !== 'object' || node === null) return;
  if (typeof node.$ref === 'string') {
    const [, , kind, name] = node.$ref.split('/');
    components[kind] ??= {};
    if (!(name in components[kind])) {
      components[kind][name] = whole.components[kind][name];
      keep(components[kind][name]);
    }
  }
  Object.entries(node).forEach(([key, value]) => key === 'examples' || keep(value));
}
function withoutExamples(node) {
  if (typeof node !== 'object' || node === null) return;
  delete node.examples;
  Object.values(node).forEach(withoutExamples);
}
withoutExamples(paths);
keep(paths);
withoutExamples(components);
types(paths);
types(components);
process.stdout.write(JSON.stringify({ openapi: whole.openapi, info: whole.info, servers: [{ url: '/' }], paths, components }));
