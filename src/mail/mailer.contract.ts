import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Mailer, MailRefused } from './mailer.ts';

/** What came out at the other end. */
export interface MailSeen {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The names of all headers, in lower case. */
  readonly headers: readonly string[];
}

export interface OpenedMailer {
  readonly mailer: Mailer;
  seen(): readonly MailSeen[];
}

/** What every mailer promises; `open` makes one whose mails can be seen, and clears up after the test. */
export const mailerContract = (name: string, open: (context: TestContext) => Promise<OpenedMailer>) => {
  test(`${name}: a mail arrives as it was written`, async (context) => {
    const { mailer, seen } = await open(context);
    const text = 'Hello ada,\n\n.a line that begins with a dot\nGrüße, 你好 👋\n\nthe end';
    await mailer.send({ to: 'ada@example.org', subject: 'Bestätigen Sie Ihre Adresse — 你好', text });
    const [mail] = seen();
    assert.equal(seen().length, 1);
    assert.deepEqual([mail?.to, mail?.subject], ['ada@example.org', 'Bestätigen Sie Ihre Adresse — 你好']);
    assert.equal(mail?.text.trimEnd(), text);
  });

  test(`${name}: what cannot be a recipient is refused, and reaches nobody`, async (context) => {
    const { mailer, seen } = await open(context);
    const wanted = [
      ...['', 'ada', 'ada@example.org\r\nBcc: eve@example.org', 'ada@example.org\nX-Evil: 1', 'ada\0@example.org'],
      ...['ada@example.org eve@example.org', 'ada@example.org\u2028'],
    ];
    for (const to of wanted) await assert.rejects(mailer.send({ to, subject: 'Hello', text: 'Hello' }), MailRefused, JSON.stringify(to));
    assert.deepEqual(seen(), []);
  });

  test(`${name}: a subject cannot add a header or end the headers`, async (context) => {
    const { mailer, seen } = await open(context);
    await mailer.send({ to: 'ada@example.org', subject: 'Hello\r\nBcc: eve@example.org\r\n\r\nanother body\0', text: 'the body' });
    const [mail] = seen();
    assert.equal(mail?.text.trimEnd(), 'the body');
    assert.ok(!mail?.headers.includes('bcc'));
    assert.match(mail?.subject ?? '', /^Hello Bcc: eve@example\.org another body/);
  });

  test(`${name}: lines of the text that look like headers or the end of a mail stay text`, async (context) => {
    const { mailer, seen } = await open(context);
    const text = 'Bcc: eve@example.org\n.\nMAIL FROM:<eve@example.org>';
    await mailer.send({ to: 'ada@example.org', subject: 'Hello', text });
    assert.equal(seen().length, 1);
    assert.equal(seen()[0]?.text.trimEnd(), text);
  });

  test(`${name}: whoever can send now says so`, async (context) => {
    const { mailer } = await open(context);
    await mailer.check();
  });
};
