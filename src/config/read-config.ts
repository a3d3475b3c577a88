import { readFileSync } from 'node:fs';
import { findNearestName } from './nearest-name.ts';
import { type Setting, type Settings, settingTable } from './settings.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** One setting as it stands: `text` is absent where there is neither a value nor a default. */
export interface EffectiveSetting {
  readonly env: string;
  readonly text: string | undefined;
  readonly source: 'default' | 'environment' | 'file';
  readonly isSecret: boolean;
}

const prefix = 'ENTREPOT_';
const fileSuffix = '_FILE';
const rows: readonly (readonly [string, Setting<unknown>])[] = Object.entries(settingTable);

/** All settings, or everything that is wrong with them at once. Reads nothing but `env` and the files it names. */
export const readSettings = (env: Environment): { settings: Settings } | { complaints: string[] } => {
  const { values, complaints } = gatherSettings(env);
  // Every row of the table has been parsed by its own parser by now, or there is a complaint.
  return complaints.length > 0 ? { complaints } : { settings: Object.fromEntries(values) as unknown as Settings };
};

/** The same with what `entrepot settings` shows: each setting's text and where it comes from. */
export const gatherSettings = (env: Environment): { shown: EffectiveSetting[]; values: Map<string, unknown>; complaints: string[] } => {
  const complaints = findUnknownNames(env);
  const given = new Map(rows.map(([, row]) => [row.env as string, readGiven(env, row.env, complaints)]));
  const textOf = (name: string): string => given.get(name)?.text ?? fallbackOf(rows.find(([, row]) => row.env === name)?.[1], textOf) ?? '';

  const shown: EffectiveSetting[] = [];
  const values = new Map<string, unknown>();
  for (const [field, row] of rows) {
    const { text: givenText, source = 'default' } = given.get(row.env) ?? {};
    const text = givenText ?? fallbackOf(row, textOf);
    shown.push({ env: row.env, text, source, isSecret: row.isSecret ?? false });
    if (text === undefined) continue;
    const value = row.parse.read(text);
    if (value !== undefined) values.set(field, value);
    else complaints.push(complain(row, text, source));
  }
  return { shown, values, complaints };
};

/** What a command prints before it ends with code 78. */
export const printComplaints = (complaints: readonly string[]): string => {
  const lines = complaints.map((complaint) => `  - ${complaint}\n`);
  return `The settings are not right:\n${lines.join('')}All settings with their meaning: docs/configuration.md\n`;
};

/** EX_CONFIG of sysexits: what is wrong is the configuration. */
export const badConfigExitCode = 78;

const fallbackOf = (row: Setting<unknown> | undefined, textOf: (env: string) => string): string | undefined =>
  typeof row?.fallback === 'object' ? row.fallback.from(textOf) : row?.fallback;

/** Docker and Helm hand over absent values as empty ones; only lists can be meant to be empty. */
const isAbsent = (text: string | undefined, name: string): text is undefined | '' =>
  text === undefined || (text === '' && rows.find(([, row]) => row.env === name)?.[1].parse.read('') === undefined);

interface Given {
  readonly text: string;
  readonly source: 'environment' | 'file';
}

const readGiven = (env: Environment, name: string, complaints: string[]): Given | undefined => {
  const text = env[name];
  const path = env[name + fileSuffix] || undefined;
  if (path === undefined) return isAbsent(text, name) ? undefined : { text, source: 'environment' };
  if (!isAbsent(text, name)) {
    complaints.push(`${name} and ${name}${fileSuffix} are both given; leave one of them out.`);
    return { text, source: 'environment' };
  }
  try {
    // An editor ends the last line of a file; that line break is no part of a value.
    return { text: readFileSync(path, 'utf8').replace(/\r?\n$/, ''), source: 'file' };
  } catch (error) {
    complaints.push(`${name}${fileSuffix} names ${path}, which cannot be read (${reasonOf(error)}).`);
    return undefined;
  }
};

const reasonOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : String(error));

const complain = (row: Setting<unknown>, text: string, source: EffectiveSetting['source']): string => {
  if (source === 'file') return `${row.env}${fileSuffix} names a file whose content must be ${row.parse.takes}.`;
  return row.isSecret ? `${row.env} must be ${row.parse.takes}.` : `${row.env} is ${JSON.stringify(text)}, but must be ${row.parse.takes}.`;
};

const findUnknownNames = (env: Environment): string[] => {
  const known = rows.map(([, row]) => row.env.slice(prefix.length));
  const complaints: string[] = [];
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(prefix)) continue;
    const suffix = name.endsWith(fileSuffix) ? fileSuffix : '';
    const bare = name.slice(prefix.length, suffix === '' ? undefined : -suffix.length);
    if (known.includes(bare)) continue;
    const nearest = findNearestName(bare, known);
    complaints.push(`${name} is not a setting${nearest === undefined ? '' : `; did you mean ${prefix}${nearest}${suffix}?`}`);
  }
  return complaints;
};
