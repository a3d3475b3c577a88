import { parseArgs } from 'node:util';
import { badConfigExitCode, type EffectiveSetting, gatherSettings, printComplaints } from '../config/read-config.ts';
import type { Command } from './command.ts';

/** `entrepot settings [--json]`: each setting with its effective text and its source, secrets hidden. */
export const settings: Command = async (args, env) => {
  const { values: options } = parseArgs({ args: [...args], options: { json: { type: 'boolean', default: false } } });
  const { shown, complaints } = gatherSettings(env);
  if (complaints.length > 0) {
    process.stderr.write(printComplaints(complaints));
    return badConfigExitCode;
  }
  const rows = shown.map((setting) => ({ name: setting.env, value: shownValue(setting), source: setting.source }));
  process.stdout.write(options.json ? `${JSON.stringify(rows, undefined, 2)}\n` : printTable(rows));
  return 0;
};

const shownValue = ({ text, isSecret, source }: EffectiveSetting): string | null => {
  if (text === undefined) return null;
  return isSecret && source !== 'default' ? '[secret]' : text;
};

const printTable = (rows: readonly { name: string; value: string | null; source: string }[]): string => {
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(
    ({ name, value, source }) => `${name.padEnd(nameWidth)}  ${source.padEnd('environment'.length)}  ${value || '-'}\n`,
  );
  return lines.join('');
};
