import type { Fault } from '../foundation/problem.ts';

/** One thing that a schema validator objects to. `instancePath` is a JSON Pointer into the value, `schemaPath` one into the schema. */
export interface SchemaObjection {
  readonly keyword: string;
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
}

const mostFaults = 100;

/** A name as a part of a JSON Pointer (RFC 6901 §3). */
const pointerPart = (name: unknown): string => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`;

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'an array',
  null: 'null',
};

const typeText = (type: unknown): string =>
  [type]
    .flat()
    .map((name) => typeNames[String(name)] ?? String(name))
    .join(' or ');
const valuesText = (values: unknown): string =>
  [values]
    .flat()
    .map((value) => JSON.stringify(value))
    .join(', ');
const counted = (count: unknown, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

const whyOf = ({ keyword, params, message }: SchemaObjection): string => {
  switch (keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'is not known here';
    case 'type':
      return `must be ${typeText(params.type)}`;
    case 'const':
      return `must be ${valuesText(params.allowedValue)}`;
    case 'enum':
      return `must be one of ${valuesText(params.allowedValues)}`;
    case 'minLength':
      return `must have at least ${counted(params.limit, 'character')}`;
    case 'maxLength':
      return `may have at most ${counted(params.limit, 'character')}`;
    case 'minItems':
      return `must have at least ${counted(params.limit, 'item')}`;
    case 'maxItems':
      return `may have at most ${counted(params.limit, 'item')}`;
    case 'minimum':
      return `must be at least ${params.limit}`;
    case 'maximum':
      return `may be at most ${params.limit}`;
    case 'format':
      if (params.format === 'date-time') return 'must be a time with its zone, like 2026-11-25T12:00:00Z';
      return `must have the format ${params.format}`;
    case 'pattern':
      return `must match ${params.pattern}`;
    default:
      return message ?? `does not satisfy ${keyword}`;
  }
};

/** The place of an objection: a missing or unknown member is named at its own pointer. */
const placeOf = ({ keyword, instancePath, params }: SchemaObjection): string => {
  if (keyword === 'required') return instancePath + pointerPart(params.missingProperty);
  if (keyword === 'additionalProperties') return instancePath + pointerPart(params.additionalProperty);
  if (keyword === 'unevaluatedProperties') return instancePath + pointerPart(params.unevaluatedProperty);
  return instancePath;
};

const isUnion = ({ keyword }: SchemaObjection): boolean => keyword === 'anyOf' || keyword === 'oneOf';
const isWithin = (path: string, outer: string): boolean => path === outer || path.startsWith(`${outer}/`);
const isLiteral = ({ keyword }: SchemaObjection): boolean => keyword === 'const' || keyword === 'enum';

/** The objections of each branch of a union, in the order of the branches. */
const branchesOf = (union: SchemaObjection, inside: readonly SchemaObjection[]): SchemaObjection[][] => {
  const start = union.schemaPath.length + 1;
  return [...Map.groupBy(inside, ({ schemaPath }) => schemaPath.slice(start).split('/', 1)[0]).values()];
};

/** How far a branch is from being meant: another type outweighs another discriminating value, that any number of other faults. */
const distance = (union: SchemaObjection, branch: readonly SchemaObjection[]): number => {
  const hasOtherType = branch.some(({ keyword, instancePath }) => keyword === 'type' && instancePath === union.instancePath);
  return (hasOtherType ? 1e6 : 0) + branch.filter(isLiteral).length * 1e3 + branch.length;
};

/** One objection for values or types that differ between branches: `must be one of "a", "b"`. */
const merged = (objections: readonly SchemaObjection[]): SchemaObjection | undefined => {
  const [first] = objections;
  if (first === undefined || !objections.every(({ instancePath }) => instancePath === first.instancePath)) return undefined;
  if (objections.every(isLiteral)) {
    const allowedValues = objections.flatMap(({ params }) => params.allowedValues ?? [params.allowedValue]);
    return { ...first, keyword: 'enum', params: { allowedValues } };
  }
  if (objections.every(({ keyword }) => keyword === 'type')) {
    return { ...first, params: { type: [...new Set(objections.flatMap(({ params }) => params.type))] } };
  }
  return undefined;
};

/** What to tell of a union that no branch of fits: the faults of the branch that was meant, not those of all. */
const objectionsOfUnion = (union: SchemaObjection, inside: readonly SchemaObjection[]): SchemaObjection[] => {
  const branches = branchesOf(union, inside);
  const nearest = Math.min(...branches.map((branch) => distance(union, branch)));
  const meant = branches.filter((branch) => distance(union, branch) === nearest);
  const [best] = meant;
  if (best === undefined) return [{ ...union, message: 'fits more than one of the forms it may have' }];
  const together = meant.length > 1 ? merged(meant.map((branch) => branch.find(isLiteral) ?? branch[0] ?? union)) : undefined;
  return together === undefined ? withoutUnions(best) : [together];
};

/** Replaces each union and what its branches object to by what `objectionsOfUnion` tells of it. */
const withoutUnions = (objections: readonly SchemaObjection[]): SchemaObjection[] => {
  const union = objections.filter(isUnion).sort((one, other) => one.schemaPath.length - other.schemaPath.length)[0];
  if (union === undefined) return [...objections];
  const isInside = (objection: SchemaObjection) =>
    objection.schemaPath.startsWith(`${union.schemaPath}/`) && isWithin(objection.instancePath, union.instancePath);
  const inside = objections.filter((objection) => objection !== union && isInside(objection));
  const outside = objections.filter((objection) => objection !== union && !isInside(objection));
  return [...withoutUnions(outside), ...objectionsOfUnion(union, inside)];
};

/** What a client is told: each place once, with what is wrong there. */
export const faultsOf = (objections: readonly SchemaObjection[], part: Fault['in']): Fault[] => {
  const told = new Map<string, Fault>();
  for (const objection of withoutUnions(objections.slice(0, 10 * mostFaults))) {
    const at = placeOf(objection);
    if (!told.has(at)) told.set(at, { in: part, at, why: whyOf(objection) });
  }
  return [...told.values()].slice(0, mostFaults);
};
