import { findNearestName } from '../config/nearest-name.ts';
import { allCommands, findCommand } from './all-commands.ts';
import { badUsageExitCode, type Command } from './command.ts';

/** `entrepot help [command]` */
export const help: Command = async ([word]) => {
  if (word === undefined || word === 'help') {
    process.stdout.write(overview());
    return 0;
  }
  const command = findCommand(word);
  if (command === undefined) return refuseUnknownCommand(word);
  process.stdout.write(`${command.summary}\n\nUsage: ${command.usage}\n\nSettings are environment variables: entrepot settings\n`);
  return 0;
};

const overview = (): string => {
  const width = Math.max(...Object.keys(allCommands).map((word) => word.length));
  const lines = Object.entries(allCommands).map(([word, { summary }]) => `  ${word.padEnd(width)}  ${summary}\n`);
  return `Usage: entrepot <command> [options]\n\n${lines.join('')}\nentrepot help <command> tells more, entrepot --version prints the version.\n`;
};

/** Names the command that was probably meant. */
export const refuseUnknownCommand = (word: string): number => {
  const nearest = findNearestName(word, [...Object.keys(allCommands), 'help']);
  const suggestion = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
  process.stderr.write(`entrepot: there is no command "${word}".${suggestion}\nentrepot help lists all commands.\n`);
  return badUsageExitCode;
};
