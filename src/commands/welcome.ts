import type { Settings } from '../config/settings.ts';

/** What a person needs who has just started the server. Not a part of the log: it may hold the set-up link. */
export const welcome = ({
  url,
  settings,
  setUpToken,
  isTerminal,
}: {
  url: string;
  settings: Settings;
  setUpToken: string | undefined;
  isTerminal: boolean;
}): void => {
  const address = settings.publicUrl ?? url.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]');
  const bold = (text: string) => (isTerminal ? `\u001b[1m${text}\u001b[22m` : text);
  const dim = (text: string) => (isTerminal ? `\u001b[2m${text}\u001b[22m` : text);
  const lines = [
    '',
    `${bold('Entrepot')} listens on ${bold(address)}`,
    `  data      ${settings.data}`,
    `  API       ${address}/docs ${dim('and')} ${address}/openapi.json`,
    ...(setUpToken === undefined
      ? []
      : [
          `  set up    ${bold(`${address}/setup?token=${setUpToken}`)}`,
          `            ${dim('makes the first operator; the link works once. Or start with ENTREPOT_OPERATOR=name:password')}`,
        ]),
    ...(settings.mailUrl.reveal() === 'log:'
      ? [`  mail      ${dim('is printed here, whole, and sent to nobody (ENTREPOT_MAIL=log:, for development)')}`]
      : []),
    `  try       curl ${address}/readyz`,
    '',
  ];
  // Beside a log of JSON lines these would be in the way.
  (isTerminal ? process.stdout : process.stderr).write(`${lines.join('\n')}\n`);
};
