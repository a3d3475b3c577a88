import { readFile } from 'node:fs/promises';
import { findCommand } from '../commands/all-commands.ts';
import { badUsageExitCode } from '../commands/command.ts';

const asksForHelp = (args: readonly string[]): boolean => args.some((arg) => arg === '--help' || arg === '-h');

const run = async ([word, ...args]: readonly string[]): Promise<number> => {
  if (word === '--version' || word === '-v') return printVersion();
  if (word === undefined || word === 'help' || asksForHelp([word, ...args])) {
    const { help } = await import('../commands/help.ts');
    return help(
      [word ?? 'help', ...args].filter((arg) => arg !== 'help' && !asksForHelp([arg])),
      process.env,
    );
  }
  const command = findCommand(word);
  if (command === undefined) {
    const { refuseUnknownCommand } = await import('../commands/help.ts');
    return refuseUnknownCommand(word);
  }
  try {
    return await (await command.load())(args, process.env);
  } catch (error) {
    if (!isWrongOption(error)) throw error;
    process.stderr.write(`entrepot ${word}: ${error.message}\nUsage: ${command.usage}\n`);
    return badUsageExitCode;
  }
};

const printVersion = async (): Promise<number> => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`entrepot ${version}, Node.js ${process.versions.node}\n`);
  return 0;
};

/** A wrong option is the caller's mistake and told in one line; everything else is ours. */
const isWrongOption = (error: unknown): error is Error =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');

process.exitCode = await run(process.argv.slice(2));
