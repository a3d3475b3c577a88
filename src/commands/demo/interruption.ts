/** The wish to end early: Ctrl-C and its kind. */
export interface Interruption {
  readonly signal: AbortSignal;
  interrupt(): void;
  /** From here on signals do again what they always do. */
  stopWatching(): void;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** One Ctrl-C may reach a process twice: from the terminal, and from the npm that runs it. */
const samePressMs = 1_000;
const interruptedExitCode = 130;

/** The first signal asks for an end in good order; one that comes later ends the process at once, with whatever cleans up at `exit`. */
export const watchInterruption = (now: () => number): Interruption => {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const onSignal = () => {
    if (firstAt !== undefined && now() - firstAt > samePressMs) process.exit(interruptedExitCode);
    firstAt ??= now();
    controller.abort();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    interrupt: () => controller.abort(),
    stopWatching() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
};
