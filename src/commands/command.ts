/** A word of the command line. Resolves with the exit code of the process. */
export type Command = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

/** EX_USAGE of sysexits: the command was called in a wrong way. */
export const badUsageExitCode = 64;
