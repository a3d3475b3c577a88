import { badUsageExitCode, type Command } from './command.ts';
import { readOptions } from './demo/options.ts';
import { runDemo } from './demo/run-demo.ts';
import { openScreen } from './demo/screen.ts';

/**
 * `entrepot demo [--seconds 30] [--rate 1/2s] [--events-every 100ms]`: a server, a source and a target at work for a while.
 * Exit code 0 when every promise held, 1 when one did not.
 */
export const demo: Command = async (args, env) => {
  const read = readOptions(args);
  if ('complaints' in read) {
    process.stderr.write(read.complaints.map((complaint) => `entrepot demo: ${complaint}\n`).join(''));
    return badUsageExitCode;
  }
  return await runDemo(read.options, { env, screen: openScreen(process.stdout, env) });
};
