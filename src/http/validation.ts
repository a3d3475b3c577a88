import { createRequire } from 'node:module';
import type { Ajv } from 'ajv';
import type { FastifyInstance, FastifySchemaCompiler, FastifySchemaValidationError, RouteOptions } from 'fastify';
import type { Log } from '../foundation/log.ts';
import { type Fault, Problem, type ProblemKind } from '../foundation/problem.ts';
import { kindsKeyword } from './problem-reply.ts';
import { faultsOf, type SchemaObjection } from './schema-faults.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The schema of the body is only documentation: the route checks the body itself. */
    checksBodyItself?: boolean;
    /** Unknown query names are let through: for pages that people reach by links of others. */
    takesAnyQuery?: boolean;
  }
}

/** Says whether a value fits; `errors` is what the last value that did not was refused for. */
interface Check {
  (value: unknown): boolean;
  errors?: FastifySchemaValidationError[] | null;
}

/** Bodies come typed, from JSON. What stands in an address or a header is text, and is turned into what the schema wants. */
type Kind = 'typed' | 'text';

/** Listing every fault of a huge body would cost more memory than the body. Beyond so many values only the first fault is told. */
const mostValuesListed = 20_000;

const hasMoreValuesThan = (limit: number, value: unknown): boolean => {
  let left = limit;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    left -= 1;
    if (left < 0) return true;
    if (typeof next !== 'object' || next === null) continue;
    const children = Array.isArray(next) ? next : Object.values(next);
    if (children.length > left) return true;
    open.push(...children);
  }
  return false;
};

const annotations: ReadonlySet<string> = new Set(['description', 'title', 'examples', 'example']);
/** Below these the names are those of members, which may be called like an annotation. */
const holdMembers: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
/** Below these stand values. */
const holdValues: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'required', 'dependentRequired']);

/** What a schema checks, without what it says to people: many differ by nothing else, and are compiled once then. */
const bareSchema = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(bareSchema);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name]) => !annotations.has(name));
  return Object.fromEntries(
    kept.map(([name, value]) => {
      if (holdValues.has(name)) return [name, value];
      return [name, holdMembers.has(name) ? bareMembers(value) : bareSchema(value)];
    }),
  );
};

const bareMembers = (members: unknown): unknown =>
  Object.fromEntries(Object.entries(members as object).map(([name, member]) => [name, bareSchema(member)])); // as JSON Schema has it

// The validator is loaded when the first schema is compiled: a server should listen before it has read code that it does not need yet.
const require = createRequire(import.meta.url);

const createCompilers = () => {
  const compilers = new Map<string, Ajv>();
  return (kind: Kind, extent: 'first' | 'all'): Ajv => {
    const name = `${kind} ${extent}`;
    const known = compilers.get(name);
    if (known !== undefined) return known;
    const { Ajv: Validator } = require('ajv') as typeof import('ajv');
    const { default: addFormats } = require('ajv-formats') as typeof import('ajv-formats');
    const ajv = new Validator({
      allErrors: extent === 'all',
      coerceTypes: kind === 'text' ? 'array' : false,
      // Strict mode and the compiler check a schema as well; a schema of schemas costs a megabyte, and its own time at each start.
      meta: false,
      validateSchema: false,
      removeAdditional: false,
      useDefaults: true,
      strictTypes: false,
      strictTuples: false,
      strictRequired: false,
      allowUnionTypes: true,
    });
    addFormats.default(ajv);
    ajv.addVocabulary([kindsKeyword, 'example', 'xml', 'externalDocs']);
    compilers.set(name, ajv);
    return ajv;
  };
};

export interface Validation {
  /** What Fastify calls for each schema of a route. Nothing is compiled yet. */
  readonly compile: FastifySchemaCompiler<unknown>;
  /** Compiles everything in the background, a schema at a time, so that no request has to wait for it. */
  warmUp(log: Log): void;
}

/**
 * Checks requests against the schemas of their route: nothing is dropped, bodies are not coerced. Each schema is compiled twice: a quick
 * check that stops at the first fault, and one that lists all, which only refused requests pay for.
 */
export const createValidation = (): Validation => {
  const compiler = createCompilers();
  const waiting: { place: string; prepare: () => void }[] = [];
  /** Many routes have parts of the same form: what is compiled for one serves all. */
  const compiled = new Map<string, { readonly quick: Check; thorough?: Check }>();

  const compile: FastifySchemaCompiler<unknown> = ({ schema, method, url, httpPart }) => {
    const kind: Kind = httpPart === 'body' ? 'typed' : 'text';
    let both: { readonly quick: Check; thorough?: Check } | undefined;
    const prepare = () => {
      const bare = bareSchema(schema) as object;
      const text = `${kind} ${JSON.stringify(bare)}`;
      both ??= compiled.get(text) ?? { quick: compiler(kind, 'first').compile(bare) };
      compiled.set(text, both);
      return both;
    };
    const check: Check = (value) => {
      both ??= prepare();
      const { quick } = both;
      if (quick(value)) return true;
      check.errors = quick.errors ?? [];
      if (!hasMoreValuesThan(mostValuesListed, value)) {
        both.thorough ??= compiler(kind, 'all').compile(bareSchema(schema) as object);
        both.thorough(value);
        check.errors = both.thorough.errors ?? check.errors;
      }
      return false;
    };
    waiting.push({ place: `${method} ${url} ${httpPart ?? ''}`, prepare });
    return check;
  };

  return {
    compile,
    warmUp(log) {
      const next = () => {
        const schema = waiting.shift();
        if (schema === undefined) return;
        try {
          schema.prepare();
        } catch (error) {
          log.error({ err: error, schema: schema.place }, 'schema.broken');
        }
        setImmediate(next);
      };
      setImmediate(next);
    },
  };
};

const parts: Readonly<Record<string, { in: Fault['in']; kind: ProblemKind }>> = {
  body: { in: 'body', kind: 'bad-body' },
  querystring: { in: 'query', kind: 'bad-query' },
  params: { in: 'path', kind: 'bad-query' },
  headers: { in: 'header', kind: 'bad-request' },
};

const placeNames: Readonly<Record<Fault['in'], string>> = { body: 'the body', query: 'the query', path: 'the path', header: 'the headers' };

const detailOf = ([first, ...others]: readonly Fault[]): string => {
  if (first === undefined) return 'The request does not have the right form.';
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see \`errors\`)`;
  const place = placeNames[first.in];
  return first.at === ''
    ? `${place[0]?.toUpperCase()}${place.slice(1)} ${first.why}${more}.`
    : `\`${first.at}\` in ${place} ${first.why}${more}.`;
};

/** The refusal of a request that does not fit the schemas of its route. `part` is what Fastify calls the part of the request. */
export const validationProblem = (objections: readonly SchemaObjection[], part: string): Problem => {
  const { in: place, kind } = parts[part] ?? { in: 'body', kind: 'bad-body' };
  const errors = faultsOf(objections, place);
  return new Problem(kind, detailOf(errors), { errors });
};

const noQuery = { type: 'object', properties: {}, additionalProperties: false };

/** Completes the schemas of a route: query names that it does not know are refused, bodies that it checks itself are left alone. */
export const completeSchemas = (route: RouteOptions): void => {
  const schema = { ...route.schema };
  const query = schema.querystring ?? noQuery;
  const isOpen = typeof query === 'object' && query !== null && 'properties' in query && !('additionalProperties' in query);
  if (route.config?.takesAnyQuery !== true) schema.querystring = isOpen ? { ...query, additionalProperties: false } : query;
  if (route.config?.checksBodyItself === true) delete schema.body;
  route.schema = schema;
};

/** Prepares the schemas of all routes as soon as the server listens. */
export const warmUpOnListen = (app: FastifyInstance, validation: Validation, log: Log): void => {
  app.addHook('onListen', () => validation.warmUp(log));
};
