import { hostname } from 'node:os';
import { innerUrl, keyList, trustedIssuerList } from './credential-parsers.ts';
import { defaultFileTypes } from './default-file-types.ts';
import { baseUrl, cidrList, httpUrl, isLoopbackHost, listenHost, mailUrl, metricsPlace, originList } from './network-parsers.ts';
import {
  bearerToken,
  blobsUrl,
  duration,
  folderPath,
  jsonObject,
  mailFrom,
  mediaTypeList,
  nameAndPassword,
  oneOf,
  type Parser,
  plainName,
  rate,
  secretText,
  size,
  sqliteUrl,
  wholeNumber,
} from './parsers.ts';

/** A default that follows from the machine or from another setting; `shown` is how the documentation prints it. */
export interface DerivedFallback {
  readonly shown: string;
  /** `textOf` gives the effective text of another setting. */
  from(textOf: (env: string) => string): string;
}

export type Fallback = string | DerivedFallback;

export interface Setting<Value> {
  readonly env: `ENTREPOT_${string}`;
  /** The text that counts when none is given; without it the setting may be absent. */
  readonly fallback?: Fallback;
  readonly parse: Parser<Value>;
  readonly doc: string;
  /** Its text is never printed. */
  readonly isSecret?: boolean;
}

type SettingWithFallback<Value> = Setting<Value> & { readonly fallback: Fallback };

function setting<Value>(row: SettingWithFallback<Value>): SettingWithFallback<Value>;
function setting<Value>(row: Setting<Value>): Omit<Setting<Value>, 'fallback'>;
function setting<Value>(row: Setting<Value>): Setting<Value> {
  return row;
}

/** Every setting there is, in the order in which the documentation shows them. */
export const settingTable = {
  port: setting({
    env: 'ENTREPOT_PORT',
    fallback: '8080',
    parse: wholeNumber(0, 65_535),
    doc: 'TCP port of the HTTP server; 0 picks a free one.',
  }),
  host: setting({
    env: 'ENTREPOT_HOST',
    fallback: '127.0.0.1',
    parse: listenHost,
    doc: 'Address the server listens on; `0.0.0.0` for all of IPv4, `::` for all.',
  }),
  publicUrl: setting({
    env: 'ENTREPOT_PUBLIC_URL',
    parse: baseUrl,
    doc: 'How the world reaches the server; stands in links and as `iss` in tokens. Without it the address of each request counts.',
  }),
  data: setting({
    env: 'ENTREPOT_DATA',
    fallback: './data',
    parse: folderPath,
    doc: 'Folder of everything embedded; made at the first start.',
  }),
  databaseUrl: setting({
    env: 'ENTREPOT_DATABASE',
    fallback: {
      shown: 'sqlite:$DATA/entrepot.db',
      from: (textOf) => `sqlite:${textOf('ENTREPOT_DATA').replace(/(?<=.)\/+$/, '')}/entrepot.db`,
    },
    parse: sqliteUrl,
    doc: 'The database. The file is made at the first start; its folder must be on a local disk.',
  }),
  blobsUrl: setting({
    env: 'ENTREPOT_BLOBS',
    fallback: {
      shown: 'folder:$DATA/blobs',
      from: (textOf) => `folder:${textOf('ENTREPOT_DATA').replace(/(?<=.)\/+$/, '')}/blobs`,
    },
    parse: blobsUrl,
    doc: 'Where the bytes of files live. The folder is made at the first start; it must be on a local disk.',
  }),
  intakeUrl: setting({
    env: 'ENTREPOT_INTAKE',
    fallback: 'database:',
    parse: oneOf('database:'),
    doc: 'How an event becomes durable before it is acknowledged.',
  }),
  limitsUrl: setting({
    env: 'ENTREPOT_LIMITS',
    fallback: 'memory:',
    parse: oneOf('memory:'),
    doc: 'Where the counters of rate limits are kept.',
  }),
  mailUrl: setting({
    env: 'ENTREPOT_MAIL',
    fallback: 'log:',
    parse: mailUrl,
    isSecret: true,
    doc: 'How mails leave: `log:` prints them whole to standard output, for development. `smtps` is TLS from the first byte, `smtp` takes STARTTLS where it is offered; `?tls=required` demands it with a valid certificate. Reserved characters of user and password are percent-encoded.',
  }),
  mailFrom: setting({
    env: 'ENTREPOT_MAIL_FROM',
    fallback: 'Entrepot <entrepot@localhost>',
    parse: mailFrom,
    doc: 'The sender of mails.',
  }),
  scanUrl: setting({
    env: 'ENTREPOT_SCAN',
    fallback: 'off:',
    parse: oneOf('off:'),
    doc: 'What looks for viruses in files before they are kept.',
  }),
  role: setting({
    env: 'ENTREPOT_ROLE',
    fallback: 'all',
    parse: oneOf('all', 'api', 'worker'),
    doc: 'What this process does: `api` answers requests, `worker` fans out and delivers, `all` does both.',
  }),
  operator: setting({
    env: 'ENTREPOT_OPERATOR',
    parse: nameAndPassword,
    isSecret: true,
    doc: '`name:password` of the first operator, made if there is none. Without it the first start prints a one-time set-up link.',
  }),
  accessTokenTtlMs: setting({
    env: 'ENTREPOT_ACCESS_TOKEN_TTL',
    fallback: '15m',
    parse: duration('1s', '1d'),
    doc: 'How long an access token is good.',
  }),
  refreshTokenTtlMs: setting({
    env: 'ENTREPOT_REFRESH_TOKEN_TTL',
    fallback: '30d',
    parse: duration('1s', '3650d'),
    doc: 'How long a refresh token is good; each use gives a new one.',
  }),
  sessionTtlMs: setting({
    env: 'ENTREPOT_SESSION_TTL',
    fallback: '365d',
    parse: duration('1s', '3650d'),
    doc: 'However often it is refreshed, a session ends so long after it was opened.',
  }),
  pinTtlMs: setting({
    env: 'ENTREPOT_PIN_TTL',
    fallback: '5m',
    parse: duration('1s', '1d'),
    doc: 'How long a PIN that pairs a device is good. Wrong PINs lock a device id for this time and ten minutes.',
  }),
  sessionBinding: setting({
    env: 'ENTREPOT_SESSION_BINDING',
    fallback: 'address',
    parse: oneOf('address', 'off'),
    doc: '`address` refuses to refresh a session from another address than the one that opened it.',
  }),
  trustedProxies: setting({
    env: 'ENTREPOT_TRUSTED_PROXIES',
    fallback: '',
    parse: cidrList,
    doc: '`X-Forwarded-…` headers count only from these addresses.',
  }),
  signUpLimit: setting({
    env: 'ENTREPOT_SIGN_UP_LIMIT',
    fallback: '100/1m',
    parse: rate,
    doc: 'How many may sign up from one address (of IPv6: from one /64).',
  }),
  linkTtlMs: setting({
    env: 'ENTREPOT_LINK_TTL',
    fallback: '1h',
    parse: duration('1s', '365d'),
    doc: 'How long a signed link to a file is good unless its maker asks for less or for more (up to 7d, or up to this where it is longer).',
  }),
  maxFileBytes: setting({
    env: 'ENTREPOT_MAX_FILE_SIZE',
    fallback: '4GiB',
    parse: size,
    doc: 'How large a file may be.',
  }),
  fileTypes: setting({
    env: 'ENTREPOT_FILE_TYPES',
    fallback: defaultFileTypes.join(','),
    parse: mediaTypeList,
    doc: 'The types that files may have, by what their bytes are; `image/*` for all of a kind. `application/octet-stream` is what nobody recognises.',
  }),
  quotaPersonBytes: setting({
    env: 'ENTREPOT_QUOTA_PERSON',
    parse: size,
    doc: 'Bytes that the files of one person (or service) may take, the trashed ones included, where its tenant says nothing else.',
  }),
  quotaTenantBytes: setting({
    env: 'ENTREPOT_QUOTA_TENANT',
    parse: size,
    doc: 'Bytes that the files of one tenant may take, where the tenant says nothing else.',
  }),
  trashMs: setting({
    env: 'ENTREPOT_TRASH',
    fallback: '30d',
    parse: duration('1s', '3650d'),
    doc: 'How long a trashed file can be restored before it is deleted for good.',
  }),
  intakeLimit: setting({
    env: 'ENTREPOT_INTAKE_LIMIT',
    parse: rate,
    doc: 'Requests with events that one source may send. None by default, since a refused event is a lost event.',
  }),
  targetGraphqlUrl: setting({
    env: 'ENTREPOT_TARGET_GRAPHQL_URL',
    parse: httpUrl,
    doc: 'Makes a GraphQL target for all events, without any API call.',
  }),
  targetRate: setting({
    env: 'ENTREPOT_TARGET_RATE',
    fallback: '1/2s',
    parse: rate,
    doc: 'The most that target is sent, in any window.',
  }),
  targetRetries: setting({
    env: 'ENTREPOT_TARGET_RETRIES',
    fallback: '9',
    parse: wholeNumber(0, 99),
    doc: 'How often a failed delivery to that target is tried again: 9 means 10 attempts in all.',
  }),
  targetEnrich: setting({
    env: 'ENTREPOT_TARGET_ENRICH',
    fallback: '{"brand":"testBrand"}',
    parse: jsonObject,
    doc: 'Fields merged into each event for that target; `{}` for none.',
  }),
  outboundAllow: setting({
    env: 'ENTREPOT_OUTBOUND_ALLOW',
    fallback: {
      shown: '127.0.0.0/8,::1/128 while HOST is loopback, else none',
      from: (textOf) => (isLoopbackHost(textOf('ENTREPOT_HOST')) ? '127.0.0.0/8,::1/128' : ''),
    },
    parse: cidrList,
    doc: 'Addresses that targets may have besides public ones; empty for none. Link-local and metadata addresses are always refused.',
  }),
  trustedIssuers: setting({
    env: 'ENTREPOT_TRUSTED_ISSUERS',
    fallback: '',
    parse: trustedIssuerList,
    doc: 'Identity providers (OpenID Connect) whose tokens let people in: `https://id.example;aud=api,https://other.example`. `aud` is `entrepot` unless given.',
  }),
  userService: setting({
    env: 'ENTREPOT_USER_SERVICE',
    parse: innerUrl,
    doc: "The organisation's user service: every bearer token that is not ours is checked there by GET.",
  }),
  edgeKeys: setting({
    env: 'ENTREPOT_EDGE_KEYS',
    parse: keyList(16),
    isSecret: true,
    doc: 'Keys of the edge (CDN, gateway): with them every request but those for `/healthz` and `/readyz` must carry one in `X-Edge-Key`. Two for the time of a rotation.',
  }),
  hookKeys: setting({
    env: 'ENTREPOT_HOOK_KEYS',
    parse: keyList(16),
    isSecret: true,
    doc: 'Keys with which the object store tells of bytes that have arrived (`POST /v1/hooks/object-created`); without any it is told nothing. Two for the time of a rotation.',
  }),
  corsOrigins: setting({
    env: 'ENTREPOT_CORS_ORIGINS',
    fallback: '',
    parse: originList,
    doc: 'Origins of web pages elsewhere that may call the API.',
  }),
  secretKey: setting({
    env: 'ENTREPOT_SECRET_KEY',
    parse: secretText(16),
    isSecret: true,
    doc: 'Encrypts signing keys and target secrets at rest. Without it a key is made once and kept in a file in DATA.',
  }),
  retentionMs: setting({
    env: 'ENTREPOT_RETENTION',
    fallback: '90d',
    parse: duration('1s', '36500d'),
    doc: 'How long delivered events, attempts and traces are kept; undelivered ones are never removed.',
  }),
  logLevel: setting({
    env: 'ENTREPOT_LOG_LEVEL',
    fallback: 'info',
    parse: oneOf('debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    doc: 'The least important lines that are still logged.',
  }),
  metrics: setting({
    env: 'ENTREPOT_METRICS',
    fallback: 'main',
    parse: metricsPlace,
    doc: 'Where `/metrics` is served: on the `main` port (for the operator or METRICS_TOKEN), on a port of its own (open to whoever reaches it), or `off`.',
  }),
  metricsToken: setting({
    env: 'ENTREPOT_METRICS_TOKEN',
    parse: bearerToken,
    isSecret: true,
    doc: 'Bearer token with which a monitoring system reads `/metrics` on the main port.',
  }),
  replica: setting({
    env: 'ENTREPOT_REPLICA',
    fallback: {
      shown: "the machine's host name",
      from: () =>
        hostname()
          .replace(/[^!-~]/g, '-')
          .slice(0, 128) || 'unnamed',
    },
    parse: plainName,
    doc: 'The name of this process in logs, traces and leases.',
  }),
};

type Table = typeof settingTable;
type OptionalName = { [Name in keyof Table]: Table[Name] extends { readonly fallback: Fallback } ? never : Name }[keyof Table];
type ValueOf<Row> = Row extends { readonly parse: Parser<infer Value> } ? Value : never;

/** The effective settings. Those without a default are absent when not given. */
export type Settings = { readonly [Name in Exclude<keyof Table, OptionalName>]: ValueOf<Table[Name]> } & {
  readonly [Name in OptionalName]?: ValueOf<Table[Name]>;
};
