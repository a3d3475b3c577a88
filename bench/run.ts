import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { acceptBatch } from './accept-batch.ts';
import { acceptOne } from './accept-one.ts';
import { deepBacklog } from './backlog.ts';
import type { Claim } from './claim.ts';
import { deliver } from './deliver.ts';
import { linkSmall } from './link-small.ts';
import { listFiles } from './list-files.ts';
import { memory } from './memory.ts';
import { pace } from './pace.ts';
import { describeMachine } from './parts/machine.ts';
import { type Measured, printPage, printTable } from './parts/report.ts';
import { range } from './range.ts';
import { refusedSignIns } from './refused-sign-ins.ts';
import { tokenCheck } from './token-check.ts';
import { transferLarge } from './transfer-large.ts';
import { uploadMemory } from './upload-memory.ts';
import { uploadSmall } from './upload-small.ts';

// `npm run bench` measures everything, `npm run bench -- accept pace` the claims whose names begin so; `--write` puts the result into
// docs/benchmarks.md. Figures are never asserted: a machine that others work on would fail for no fault of ours.

const claims: readonly Claim[] = [
  ...[acceptOne, acceptBatch, deliver, deepBacklog, memory, pace, tokenCheck, refusedSignIns],
  ...[uploadSmall, linkSmall, range, transferLarge, uploadMemory, listFiles],
];

const { values, positionals } = parseArgs({ options: { write: { type: 'boolean', default: false } }, allowPositionals: true });
const unknown = positionals.filter((word) => !claims.some(({ name }) => name.startsWith(word)));
if (unknown.length > 0) {
  process.stderr.write(`There is no claim ${unknown.join(', ')}; there are ${claims.map(({ name }) => name).join(', ')}.\n`);
  process.exit(64);
}
const wanted = positionals.length === 0 ? claims : claims.filter(({ name }) => positionals.some((word) => name.startsWith(word)));

const measured: Measured[] = [];
for (const claim of wanted) {
  process.stdout.write(`${claim.name}: ${claim.title}\n`);
  const finding = await claim.measure((line) => process.stdout.write(`  ${line}\n`));
  process.stdout.write(`  → ${finding.result}\n`);
  measured.push({ claim, finding });
}
process.stdout.write(`\n${printTable(measured)}`);
if (values.write) writeFileSync(new URL('../docs/benchmarks.md', import.meta.url), printPage(measured, describeMachine()));
