import { type Caller, isScope, type Scope, scopes } from '../../foundation/caller.ts';
import { Problem } from '../../foundation/problem.ts';

const viewer = ['files:read', 'events:read', 'records:read', 'trace:read'] as const satisfies readonly Scope[];
const member = [...viewer, 'files:write', 'events:send', 'records:write'] as const satisfies readonly Scope[];
const admin = [
  ...member,
  'targets:manage',
  'deliveries:replay',
  'people:manage',
  'services:manage',
  'records:read:any',
  'records:write:any',
] as const satisfies readonly Scope[];
const operator = [...admin, 'tenants:manage', 'operate'] as const satisfies readonly Scope[];

/** What a person may do, by its role. An operator belongs to the tenant `default` and looks after the whole instance. */
export const roles = { viewer, member, admin, operator } as const satisfies Record<string, readonly Scope[]>;

export type Role = keyof typeof roles;

/** What a device may do for its person: never more than a member, and never more than the person. */
export const deviceScopesOf = (role: Role): ReadonlySet<Scope> =>
  new Set(member.filter((scope) => (roles[role] as readonly Scope[]).includes(scope)));

/** Every scope there is, as the schemas of requests name them. */
export const allScopes = Object.keys(scopes).filter(isScope);

/** Nobody hands out more than it has. Throws `not-allowed` that names what is missing. */
export const mustHoldAll = (caller: Pick<Caller, 'scopes'>, wanted: readonly Scope[]): void => {
  const missing = wanted.filter((scope) => !caller.scopes.has(scope));
  if (missing.length > 0) throw new Problem('not-allowed', `You cannot give what you do not have: ${missing.join(' ')}.`);
};

/** The scopes that a text like `events:send trace:read` names; those that no longer exist are left out. */
export const parseScopes = (text: string): ReadonlySet<Scope> => new Set(text.split(' ').filter(isScope));

/** The scopes of a `scopesJson` column; those that no longer exist are left out. */
export const parseScopeList = (scopesJson: string): Scope[] => (JSON.parse(scopesJson) as string[]).filter(isScope); // written from a list of scopes
