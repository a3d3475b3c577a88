// Who may import whom. Each rule says why; `npm run deps` checks them all, and refuses to pass when it could not read the files.

/** A module sees the modules before it, never those behind it: to go on to the right it appends a fact. */
const modules = ['trace', 'identity', 'events', 'files', 'records', 'delivery'];

const face = `^src/modules/(${modules.map((name) => `${name}/${name}`).join('|')})\\.ts$`;
const contracts = [
  '^src/database/(database|dialect|tables|template)\\.ts$',
  '^src/blobs/blob-store\\.ts$',
  '^src/intake/intake\\.ts$',
  '^src/limits/limiter\\.ts$',
  '^src/mail/mailer\\.ts$',
  '^src/scan/scanner\\.ts$',
];
const openers = '^src/[^/]+/open-[^/]+\\.ts$';
const adapters = [
  '^src/database/(sqlite|postgres)\\.ts$',
  '^src/blobs/[^/]+-blobs\\.ts$',
  '^src/intake/([^/]+-intake|spool)\\.ts$',
  '^src/limits/[^/]+-limiter\\.ts$',
  '^src/mail/[^/]+-mailer\\.ts$',
  '^src/scan/[^/]+-scanner\\.ts$',
];
const compose = '^src/compose\\.ts$';
// A test builds the real thing around what it tests, so it may name adapters and open databases.
const tests = '\\.(test|contract|fixture)\\.ts$';

const rule = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to });

module.exports = {
  forbidden: [
    rule(
      'foundation-stands-alone',
      'Everything rests on the foundation, so it rests on nothing: none of our rooms, no package (of TypeBox the types alone).',
      { path: '^src/foundation/', pathNot: tests },
      { pathNot: ['^src/foundation/', '(^|node_modules/)typebox/'], dependencyTypesNot: ['core'] },
    ),
    rule(
      'http-knows-the-foundation-only',
      'HTTP conventions hold for every route; what they need from a module or a room is handed in by compose.ts.',
      { path: '^src/http/', pathNot: tests },
      { path: '^src/', pathNot: '^src/(http|foundation)/' },
    ),
    rule(
      'capabilities-know-the-foundation-only',
      'A capability can be exchanged only while it knows no other room: foundation and its own vendor SDK.',
      { path: '^src/(database|blobs|intake|limits|mail|scan|telemetry)/', pathNot: tests },
      { path: '^src/', pathNot: '^src/($1|foundation)/' },
    ),
    rule(
      'config-knows-the-foundation-only',
      'Settings are read before anything else exists.',
      { path: '^src/config/', pathNot: tests },
      { path: '^src/', pathNot: '^src/(config|foundation)/' },
    ),
    rule(
      'modules-see-contracts',
      'A module works with any adapter: of other rooms it sees the contract, of the process nothing (settings, clock, log are handed in).',
      { path: '^src/modules/', pathNot: tests },
      { path: '^src/', pathNot: ['^src/(modules|foundation|http)/', ...contracts] },
    ),
    rule(
      'http-in-routes-only',
      'The rules of a module hold however they are reached; only its *-routes.ts speak HTTP.',
      { path: '^src/modules/', pathNot: ['-routes\\.ts$', tests] },
      { path: '^src/http/' },
    ),
    rule(
      'a-module-is-entered-by-its-face',
      'What is not in the face (the file named like its folder) is private and free to change.',
      { path: '^src/modules/([^/]+)/', pathNot: tests },
      { path: '^src/modules/', pathNot: ['^src/modules/$1/', face] },
    ),
    rule(
      'a-module-is-entered-by-its-face-from-outside',
      'Only compose.ts, which puts the modules together, may name more of them than their faces.',
      { path: '^src/', pathNot: ['^src/modules/', compose, tests] },
      { path: '^src/modules/', pathNot: face },
    ),
    ...modules
      .slice(0, -1)
      .map((name, index) =>
        rule(
          `${name}-imports-leftwards`,
          `Modules stand in a row (${modules.join(' < ')}) and import only leftwards; to go rightwards, append a fact.`,
          { path: `^src/modules/${name}/`, pathNot: tests },
          { path: `^src/modules/(${modules.slice(index + 1).join('|')})/` },
        ),
      ),
    rule(
      'adapters-are-named-in-openers',
      "An adapter is named in one line of its room's open-*.ts, so that another one is one more line there.",
      { path: '^src/', pathNot: [openers, tests] },
      { path: adapters, pathNot: openers },
    ),
    rule(
      'openers-are-called-in-compose',
      'Which adapter is taken is decided in one place.',
      { path: '^src/', pathNot: [compose, tests] },
      { path: openers },
    ),
    rule(
      'compose-is-for-commands',
      'entries → commands → compose → everything: nothing below knows how the whole is put together.',
      { path: '^src/', pathNot: ['^src/(commands|entries)/', tests] },
      { path: compose },
    ),
    rule(
      'commands-are-for-entries',
      'entries → commands → compose → everything: nothing below knows the command line.',
      { path: '^src/', pathNot: ['^src/(commands|entries)/', tests] },
      { path: '^src/commands/' },
    ),
    rule(
      'entries-are-for-nobody',
      'An entry starts a process when it is imported.',
      { path: '^src/', pathNot: ['^src/entries/', tests] },
      { path: '^src/entries/' },
    ),
    rule(
      'sql-in-stores',
      'SQL lives in *-store.ts and the database room: one place to look for every query of a table.',
      { path: '^src/', pathNot: ['^src/database/', '-store\\.ts$', tests] },
      { path: ['(^|node_modules/)kysely(/|$)', '^src/database/(dialect|template)\\.ts$'] },
    ),
    rule(
      'fastify-in-routes',
      'Fastify lives in src/http, *-routes.ts and compose.ts; the rest can be called without a server.',
      { path: '^src/', pathNot: ['^src/http/', '-routes\\.ts$', compose, tests] },
      { path: '(^|node_modules/)(fastify|fastify-plugin|@fastify)(/|$)' },
    ),
    rule(
      'contract-suites-are-for-tests',
      'What checks the product is no part of it.',
      { path: '^src/', pathNot: tests },
      { path: [tests, '^(tests|bench|scripts)/'] },
    ),
    rule(
      'packages-are-declared',
      'What the product imports stands under dependencies in package.json; else a deployment without development packages breaks.',
      { path: '^src/', pathNot: tests },
      // pino-log.ts does without pino-pretty where it is not installed.
      { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/pino-pretty/' },
    ),
    rule(
      'typebox-for-its-types',
      'TypeBox evaluates hundreds of modules; schemas are made by src/foundation/schema.ts, with its types.',
      // It checks the config of a target, and loads TypeBox with the first one.
      { path: '^src/', pathNot: ['^src/modules/delivery/targets/target-config\\.ts$', tests] },
      { path: '(^|node_modules/)typebox/', dependencyTypesNot: ['type-only'] },
    ),
    rule('imports-lead-somewhere', 'The file or package does not exist.', { path: '^src/' }, { couldNotResolve: true }),
  ],
  options: {
    // Types count too: who imports one depends on the file it stands in.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.d.ts'],
    },
  },
};
