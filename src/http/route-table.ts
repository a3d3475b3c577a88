import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { Log } from '../foundation/log.ts';
import { type Access, type Authenticate, guardFor } from './access.ts';
import { type IdempotencyStore, idempotencyHooks } from './idempotency.ts';
import { mediaTypesTaken } from './media-types.ts';
import { completeSchemas } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The handler answers HEAD too, without reading what GET would send: `sendBytes` does. */
    answersHead?: boolean;
  }
  interface FastifySchema {
    /** What the route does, in a few words. Demanded. */
    summary?: string;
    description?: string;
    tags?: readonly string[];
    /** A name for generated clients; made from method and path when not given. */
    operationId?: string;
    deprecated?: boolean;
    /** Not shown in the OpenAPI document. */
    hide?: boolean;
  }
}

/** A route as it was written down, for the document and for `Allow`. */
export interface KnownRoute {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
  readonly schema: FastifySchema;
  readonly config: NonNullable<RouteOptions['config']>;
}

export interface RouteTable {
  /** In the order in which they were registered; HEAD routes that were added beside a GET are left out. */
  readonly routes: readonly KnownRoute[];
  /** The methods that an address (without query) takes; none where no route fits. */
  methodsAt(path: string): string[];
}

/** The text of a path pattern as an expression: `:name` is one part, `*` is the rest. */
const matcherOf = (url: string): RegExp => {
  const parts = url.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
};

const listOf = <Item>(items: Item | Item[] | undefined): Item[] => (items === undefined ? [] : ([items].flat() as Item[])); // a flat list of items

/**
 * A GET gets a HEAD beside it when its answer is plain JSON or a page: answering a stream would mean to read it in vain. A route whose
 * handler can tell the headers without the body says so.
 */
const isHeadWanted = ({ method, url, schema, exposeHeadRoute, config }: RouteOptions): boolean => {
  if (method !== 'GET' || exposeHeadRoute === false) return false;
  return config?.answersHead === true || (schema?.produces === undefined && !url.includes('*'));
};

const showsSecretOf = ({ showsSecret = false }: KnownRoute['config']) =>
  typeof showsSecret === 'function' ? showsSecret : () => showsSecret;

/** Registered by the CORS plugin; answers preflights, and is 404 for anything else. */
const isPreflight = ({ method, url }: RouteOptions): boolean => method === 'OPTIONS' && url === '*';

/**
 * Watches the routes as they are registered: completes each by what its config asks for, and refuses those that do not say who may call
 * them or what they do.
 */
export const watchRoutes = (
  app: FastifyInstance,
  { authenticate, idempotency, log }: { authenticate: Authenticate; idempotency: IdempotencyStore; log: Log },
): RouteTable => {
  const routes: KnownRoute[] = [];
  const matchers = new Map<string, { matcher: RegExp; methods: Set<string> }>();
  const heads = new WeakSet<object>();

  const note = (url: string, methods: readonly string[]) => {
    const known = matchers.get(url) ?? { matcher: matcherOf(url), methods: new Set() };
    for (const method of methods) known.methods.add(method);
    matchers.set(url, known);
  };

  app.addHook('onRoute', function (route) {
    if (isPreflight(route)) return;
    const methods = listOf(route.method);
    const schema = route.schema ?? {};
    const config = { ...route.config };
    const name = `${methods.join(', ')} ${route.url}`;
    const { access } = config;
    if (access === undefined) throw new Error(`The route ${name} does not say who may call it (config.access)`);
    if (schema.summary === undefined) throw new Error(`The route ${name} does not say what it does (schema.summary)`);

    note(route.url, methods);
    if (route.routePath === '' && route.prefix !== '') note(`${route.url}/`, methods);
    const isAddedHead = route.config !== undefined && heads.has(route.config);
    if (!isAddedHead) routes.push(...methods.map((method) => ({ method, url: route.url, access, schema, config })));
    const asWritten = { ...route, path: route.routePath };

    config.mediaTypes = mediaTypesTaken(route.method, schema);
    route.config = config;
    completeSchemas(route);
    if (access !== 'public') route.onRequest = [guardFor(access, authenticate, config.fixedToken), ...listOf(route.onRequest)];
    if (config.isIdempotent) {
      const isWhenRead = config.isIdempotent === 'when-read';
      const { preHandler, onSend } = idempotencyHooks({ store: idempotency, log, showsSecret: showsSecretOf(config), isWhenRead });
      route.preHandler = [preHandler, ...listOf(route.preHandler)];
      route.onSend = [...listOf(route.onSend), onSend];
    }

    if (!isHeadWanted(asWritten)) return;
    const headConfig = { ...asWritten.config };
    heads.add(headConfig);
    this.route({ ...asWritten, method: 'HEAD', url: route.routePath, config: headConfig });
  });

  return {
    routes,
    methodsAt(path) {
      const methods = [...matchers.values()].filter(({ matcher }) => matcher.test(path)).flatMap((known) => [...known.methods]);
      return [...new Set(methods)].sort();
    },
  };
};
