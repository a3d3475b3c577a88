import { readFileSync } from 'node:fs';
import { readApi } from '../tests/support/api-document.ts';
import type { RefusalSeen } from '../tests/support/refusals-seen.ts';

// node scripts/check-refusals.ts <file>    run by scripts/test.ts after the whole suite, with what the server refused in it
//
// A refusal that the API document names and no test brings about is a promise that nobody has tried. Each kind must occur somewhere, and
// those that a route names itself on that route.

/** What the server gives on any route of the form: it is the same code everywhere, so somewhere is enough. */
const commonKinds = new Set([
  ...['bad-request', 'bad-json', 'bad-body', 'bad-query', 'not-signed-in', 'bad-token', 'not-allowed', 'timeout', 'too-large'],
  ...['uri-too-long', 'unsupported-type', 'in-progress', 'key-reused', 'already-created', 'internal', 'unavailable', 'stopping'],
  ...['not-through-edge', 'tenant-suspended', 'sign-up-closed', 'not-implemented'], // by settings and by the tenant, on any route
  ...['invalid_request'],
]);

/** The same as `internal` and `unavailable`, in the words of OAuth; every other code occurs on its route. */
const otherWords = new Set(['server_error', 'temporarily_unavailable']);

interface Documented {
  readonly name: string;
  readonly method: string;
  readonly pattern: RegExp;
  readonly kinds: readonly string[];
}

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly examples?: object }>> }>>;
}

/** Below `/oauth/` refusals are told in the form of the RFCs, each by an example that is named by its code. */
const kindsOf = (path: string, { responses }: Operation): string[] =>
  Object.entries(responses)
    .filter(([status]) => Number(status) >= 400)
    .flatMap(([, { content }]) =>
      Object.keys(content?.[path.startsWith('/oauth/') ? 'application/json' : 'application/problem+json']?.examples ?? {}),
    )
    .filter((kind) => !otherWords.has(kind));

const readDocumented = async (): Promise<Documented[]> => {
  const { document } = await readApi();
  const paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> = document.paths;
  // Paths without parameters first: /v1/deliveries/replay is not /v1/deliveries/{id}.
  const sorted = Object.entries(paths).sort(([one], [other]) => Number(one.includes('{')) - Number(other.includes('{')));
  return sorted.flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      pattern: new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
      kinds: kindsOf(path, operation),
    })),
  );
};

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('Which file?');
const seen = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as RefusalSeen); // written by `noteRefusal`
const documented = await readDocumented();

const seenKinds = new Set(seen.map(({ kind }) => kind));
const seenOnRoutes = new Set(
  seen.map(({ method, path, kind }) => {
    const route = documented.find((one) => one.method === method && one.pattern.test(path));
    return `${route?.name} ${kind}`;
  }),
);

const kinds = new Set(documented.flatMap((route) => route.kinds));
const complaints = [
  ...[...kinds].filter((kind) => !seenKinds.has(kind)).map((kind) => `${kind} is documented, and no test brings it about`),
  ...documented.flatMap(({ name, kinds: ofRoute }) =>
    ofRoute
      .filter((kind) => !commonKinds.has(kind) && !seenOnRoutes.has(`${name} ${kind}`))
      .map((kind) => `${name} documents ${kind}, and no test brings it about there`),
  ),
];

for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
if (complaints.length > 0) process.exitCode = 1;
else
  process.stdout.write(`Every refusal that the API document names occurs in a test: ${kinds.size} kinds on ${documented.length} routes.\n`);
