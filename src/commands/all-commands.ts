import type { Command } from './command.ts';

export interface CommandRow {
  readonly summary: string;
  readonly usage: string;
  /** Loads the command's file, and only that: the time to start is the time to load. */
  load(): Promise<Command>;
}

/** Every word of the command line but `help`, in the order in which that shows them. */
export const allCommands: Readonly<Record<string, CommandRow>> = {
  serve: {
    summary: 'Start the server.',
    usage: 'entrepot serve',
    load: async () => (await import('./serve.ts')).serve,
  },
  demo: {
    summary: 'Show everything at work: a server, a source, and a target that fails now and then.',
    usage: 'entrepot demo [--seconds 30] [--rate 1/2s] [--events-every 100ms]',
    load: async () => (await import('./demo.ts')).demo,
  },
  keys: {
    summary: 'List the keys that sign access tokens, or rotate them; also beside a running server.',
    usage: 'entrepot keys list [--json] | entrepot keys rotate [--now]',
    load: async () => (await import('./keys.ts')).keys,
  },
  settings: {
    summary: 'Print the effective settings and where each comes from; secrets are hidden.',
    usage: 'entrepot settings [--json]',
    load: async () => (await import('./settings.ts')).settings,
  },
};

export const findCommand = (word: string): CommandRow | undefined => (Object.hasOwn(allCommands, word) ? allCommands[word] : undefined);
