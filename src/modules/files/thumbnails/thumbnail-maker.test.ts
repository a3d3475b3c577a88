import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants, crc32, deflateRawSync, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import { createThumbnailMaker, isThumbnailable, maxImageBytes, type ThumbnailMaker, type ThumbnailSize } from './thumbnail-maker.ts';

const maker = createThumbnailMaker();
after(() => maker.close());

const noisy = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#000', noise: { type: 'gaussian', mean: 128, sigma: 30 } } });
const plain = (width: number, height: number, background: string) => sharp({ create: { width, height, channels: 4, background } });

const imageOf = (type: string, bytes: Buffer) => ({ type, bytes: bytes.length, open: async () => Readable.from(piecesOf(bytes)) });
function* piecesOf(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
const make = (type: string, bytes: Buffer, size: ThumbnailSize = 256, by: ThumbnailMaker = maker) => by.make(imageOf(type, bytes), size);

const isBroken = (why: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Problem, String(error));
  assert.equal(error.kind, 'broken-image');
  assert.match(error.message, why);
  return true;
};

/** The processes that make thumbnails; asked of the system, which tells it on Linux alone. */
const workersRunning = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
        return parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('thumbnail-worker');
      } catch {
        return false; // it ended meanwhile
      }
    })
    .map(Number);

/** Also what has ended is listed until its parent has looked, but without a command. */
const isRunning = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
};

const eventually = async (holds: () => boolean): Promise<void> => {
  for (let tries = 0; tries < 200 && !holds(); tries += 1) await delay(25);
  assert.ok(holds());
};

const pngChunk = (name: string, body: Buffer) => {
  const named = Buffer.concat([Buffer.from(name), body]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(body.length, 0);
  named.copy(framed, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
};

/** A black PNG of few bytes and many pixels, as bombs are. `form`: bits, kind of colour, compression, filter, interlacing. */
const pngOf = (width: number, height: number, form: readonly number[], pixels: Buffer): Buffer => {
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, ...form]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([signature, pngChunk('IHDR', header), pngChunk('IDAT', pixels), pngChunk('IEND', Buffer.alloc(0))]);
};

/** One bit a pixel, in rows that can be read one after the other. */
const widePng = (width: number, height: number) =>
  pngOf(width, height, [1, 0, 0, 0, 0], deflateSync(Buffer.alloc(height * (Math.ceil(width / 8) + 1))));

/** Eight bytes a pixel, in an order that makes a decoder hold all of them: 100 million pixels are 800 MB. */
const hungryPng = (): Buffer => {
  const mebibyte = deflateRawSync(Buffer.alloc(1024 * 1024), { finishFlush: constants.Z_FULL_FLUSH });
  return pngOf(10_000, 9_990, [16, 6, 0, 0, 1], Buffer.concat([Buffer.from([0x78, 0x01]), ...Array.from({ length: 800 }, () => mebibyte)]));
};

describe('a thumbnail', () => {
  it('is made of every raster type that browsers show, and of TIFF', async () => {
    const picture = noisy(600, 400);
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const) {
      const type = `image/${format}`;
      assert.ok(isThumbnailable(type));
      const made = await make(type, await picture.clone().toFormat(format).toBuffer());
      assert.deepEqual([made.type, made.width, made.height], ['image/webp', 256, 171], type);
      assert.equal((await sharp(made.bytes).metadata()).format, 'webp');
      assert.match(made.color, /^#[0-9a-f]{6}$/);
    }
    for (const type of ['image/svg+xml', 'image/heic', 'application/pdf', 'video/mp4', 'text/html']) assert.ok(!isThumbnailable(type));
    await assert.rejects(make('image/svg+xml', Buffer.from('<svg/>')), { kind: 'unsupported-type' });
  });

  it('fits into each size, is never larger than the original, and keeps a thin image in sight', async () => {
    const bytes = await noisy(1200, 1600).jpeg().toBuffer();
    for (const size of [128, 256, 512, 1024] as const) {
      const { width, height } = await make('image/jpeg', bytes, size);
      assert.deepEqual([width, height], [size * 0.75, size]);
    }
    const small = await make('image/png', await plain(30, 20, '#102030').png().toBuffer(), 1024);
    assert.deepEqual([small.width, small.height], [30, 20]);
    const thin = await make('image/png', await plain(5000, 1, '#102030').png().toBuffer(), 128);
    assert.deepEqual([thin.width, thin.height], [128, 1]);
  });

  it('stands upright and tells neither place, nor camera, nor profile', async () => {
    const left = await plain(100, 200, '#d01010').png().toBuffer();
    const bytes = await plain(200, 200, '#1010d0')
      .composite([{ input: left, left: 0, top: 0 }])
      .jpeg()
      .withExif({ IFD0: { Make: 'Camera', Copyright: 'Somebody' }, IFD3: { GPSLatitude: '48/1 8/1 0/1' } })
      .withMetadata({ orientation: 6 })
      .withIccProfile('p3')
      .toBuffer();
    const made = await make('image/jpeg', bytes, 128);
    // Orientation 6 is turned a quarter to the right to be seen: what is left in the bytes is at the top.
    const { data, info } = await sharp(made.bytes).raw().toBuffer({ resolveWithObject: true });
    const pixelAt = (x: number, y: number) => [...data.subarray((y * info.width + x) * info.channels).subarray(0, 3)];
    const [topRed = 0, , topBlue = 0] = pixelAt(100, 20);
    const [bottomRed = 0, , bottomBlue = 0] = pixelAt(20, 100);
    assert.ok(topRed > 180 && topBlue < 60, `${topRed} ${topBlue}`);
    assert.ok(bottomBlue > 180 && bottomRed < 60, `${bottomRed} ${bottomBlue}`);
    const { exif, icc, xmp, iptc, orientation, space } = await sharp(made.bytes).metadata();
    assert.deepEqual([exif, icc, xmp, iptc, orientation, space], [undefined, undefined, undefined, undefined, undefined, 'srgb']);
  });

  it('keeps what is transparent so', async () => {
    const made = await make('image/png', await plain(300, 300, 'rgba(200, 40, 40, 0.5)').png().toBuffer(), 128);
    const { data, info } = await sharp(made.bytes).raw().toBuffer({ resolveWithObject: true });
    assert.equal(info.channels, 4);
    const [red = 0, , , alpha = 0] = data;
    assert.ok(Math.abs(red - 200) < 8 && Math.abs(alpha - 128) < 8, `${red} ${alpha}`);
    assert.equal((await make('image/png', await plain(30, 30, 'rgba(200, 40, 40, 0)').png().toBuffer())).color, '#ffffff');
  });

  it('knows the colour that most of the image has', async () => {
    const stripe = await plain(300, 100, '#ffee00').png().toBuffer();
    const bytes = await plain(300, 300, '#1040c0')
      .composite([{ input: stripe, left: 0, top: 0 }])
      .png()
      .toBuffer();
    assert.equal((await make('image/png', bytes)).color, '#1040c0');
  });
});

describe('an image that cannot be read', () => {
  it('is refused when it is cut off, whatever its type, and the next one is made', async () => {
    const picture = noisy(600, 400);
    for (const format of ['jpeg', 'png', 'webp', 'gif', 'avif', 'tiff'] as const) {
      const bytes = await picture.clone().toFormat(format).toBuffer();
      for (const part of [0.02, 0.5, 0.97]) {
        await assert.rejects(make(`image/${format}`, bytes.subarray(0, Math.floor(bytes.length * part))), isBroken(/cut off or damaged/));
      }
      assert.equal((await make(`image/${format}`, bytes)).width, 256);
    }
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(10_000)]) {
      await assert.rejects(make('image/jpeg', bytes), isBroken(/cut off or damaged/));
    }
  });

  it('is refused when its bytes are of another type, so that only the decoder of that type ever sees them', async () => {
    const png = await noisy(50, 50).png().toBuffer();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>');
    for (const bytes of [svg, Buffer.from('%PDF-1.4\n'), Buffer.from('P3 1 1 255 0 0 0\n')]) {
      await assert.rejects(make('image/png', bytes), isBroken(/cut off or damaged/));
    }
    await assert.rejects(make('image/jpeg', png), isBroken(/cut off or damaged/));
    assert.equal((await make('image/png', png)).width, 50);
  });

  it('is refused when it has too many pixels or bytes', async () => {
    const bomb = widePng(20_000, 20_000);
    assert.ok(bomb.length < 100_000);
    await assert.rejects(make('image/png', bomb), isBroken(/more than 100 million pixels/));
    assert.equal((await make('image/png', widePng(9000, 9000))).width, 256);
    const large = { type: 'image/png', bytes: maxImageBytes + 1, open: () => assert.fail('it was opened') };
    await assert.rejects(maker.make(large, 128), isBroken(/larger than 64 MiB/));
  });

  it('is refused when it takes too much memory, without harm to the server, and the next one is made', async () => {
    const before = process.memoryUsage.rss();
    await assert.rejects(make('image/png', hungryPng()), isBroken(/more than \d+ MiB of memory/));
    assert.ok(process.memoryUsage.rss() - before < 100 * 1024 * 1024);
    assert.equal((await make('image/png', widePng(300, 300))).width, 256);
  });

  it('is not at fault when its source fails or is not as long as was told', async () => {
    const bytes = await noisy(600, 400).png().toBuffer();
    const failing = async () =>
      Readable.from(
        (async function* () {
          yield bytes.subarray(0, 65_536);
          throw new Error('The disk is on fire.');
        })(),
      );
    await assert.rejects(maker.make({ ...imageOf('image/png', bytes), open: failing }, 128), /on fire/);
    await assert.rejects(maker.make({ ...imageOf('image/png', bytes), open: () => Promise.reject(new Error('No blob.')) }, 128), /No blob/);
    for (const told of [bytes.length - 1, bytes.length + 1]) {
      await assert.rejects(maker.make({ ...imageOf('image/png', bytes), bytes: told }, 128), /A picture of \d+ bytes came with/);
    }
    assert.equal((await make('image/png', bytes)).width, 256);
  });
});

describe('the maker of thumbnails', () => {
  it('makes many at a time, never more than two at once, and refuses only when too many wait', async () => {
    const bytes = await noisy(1500, 1000).jpeg().toBuffer();
    let isOpen = 0;
    let mostOpen = 0;
    const counted = {
      ...imageOf('image/jpeg', bytes),
      open: async () => {
        isOpen += 1;
        mostOpen = Math.max(mostOpen, isOpen);
        // At its end, since it closes some time after that, while the next one is opened.
        return Readable.from(piecesOf(bytes)).once('end', () => {
          isOpen -= 1;
        });
      },
    };
    const all = await Promise.allSettled(Array.from({ length: 40 }, () => maker.make(counted, 128)));
    const refused = all.filter((one) => one.status === 'rejected').map((one): unknown => one.reason);
    assert.equal(refused.length, 40 - 2 - 32);
    for (const reason of refused) assert.ok(reason instanceof Unavailable);
    assert.ok(mostOpen <= 2, `${mostOpen} at once`);
  });

  it('lets go of a caller who no longer waits, at every stage', { timeout: 20_000 }, async () => {
    const bytes = await noisy(1500, 1000).jpeg().toBuffer();
    const stalled = { ...imageOf('image/jpeg', bytes), open: async () => new Readable({ read: () => undefined }) };
    const leaving = [new AbortController(), new AbortController(), new AbortController()];
    const left = leaving.map(({ signal }) => assert.rejects(maker.make(stalled, 128, signal), { name: 'AbortError' }));
    await delay(100);
    for (const caller of leaving.reverse()) caller.abort();
    await Promise.all(left);
    await assert.rejects(maker.make(stalled, 128, AbortSignal.abort()), { name: 'AbortError' });
    assert.equal((await make('image/jpeg', bytes)).width, 256);
  });

  it('makes a thumbnail also when its process is ended in the middle', { skip: process.platform !== 'linux' }, async () => {
    const bytes = await noisy(600, 400).png().toBuffer();
    const own = createThumbnailMaker();
    let opened = 0;
    const endedWhileRead = {
      ...imageOf('image/png', bytes),
      open: async () => {
        opened += 1;
        const before = new Set(others);
        if (opened === 1) for (const pid of workersRunning().filter((running) => !before.has(running))) process.kill(pid, 'SIGKILL');
        return Readable.from(piecesOf(bytes));
      },
    };
    const others = workersRunning();
    try {
      assert.equal((await own.make(endedWhileRead, 128)).width, 128);
      assert.equal(opened, 2);
    } finally {
      await own.close();
    }
  });

  it('tells an image that brings its process to fall from a process that others end', { skip: process.platform !== 'linux' }, async () => {
    const bytes = await noisy(600, 400).png().toBuffer();
    const own = createThumbnailMaker();
    const others = new Set(workersRunning());
    const endedBy = (signal: NodeJS.Signals) => ({
      ...imageOf('image/png', bytes),
      open: async () => {
        for (const pid of workersRunning().filter((running) => !others.has(running))) process.kill(pid, signal);
        return Readable.from(piecesOf(bytes));
      },
    });
    try {
      await assert.rejects(own.make(endedBy('SIGSEGV'), 128), isBroken(/ends the program/));
      await assert.rejects(own.make(endedBy('SIGKILL'), 128), Unavailable);
      assert.equal((await make('image/png', bytes, 128, own)).width, 128);
    } finally {
      await own.close();
    }
  });

  it('starts no process before the first image, and ends it when there are no more', { skip: process.platform !== 'linux' }, async () => {
    const bytes = await noisy(60, 40).png().toBuffer();
    const before = workersRunning().length;
    const own = createThumbnailMaker({ idleMs: 200 });
    assert.equal(workersRunning().length, before);
    await make('image/png', bytes, 128, own);
    assert.equal(workersRunning().length, before + 1);
    await eventually(() => workersRunning().length === before);
    assert.equal((await make('image/png', bytes, 128, own)).width, 60);
    await own.close();
    assert.equal(workersRunning().length, before);
  });

  it('does not keep the server from ending, and its process goes with it', { skip: process.platform !== 'linux' }, async () => {
    const bytes = (await noisy(60, 40).png().toBuffer()).toString('base64');
    const script = `
      import { Readable } from 'node:stream';
      import { readFileSync } from 'node:fs';
      import { createThumbnailMaker } from ${JSON.stringify(fileURLToPath(new URL('./thumbnail-maker.ts', import.meta.url)))};
      const bytes = Buffer.from('${bytes}', 'base64');
      const maker = createThumbnailMaker();
      const { width } = await maker.make({ type: 'image/png', bytes: bytes.length, open: async () => Readable.from([bytes]) }, 128);
      console.log(width, readFileSync('/proc/thread-self/children', 'utf8').trim());
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
    const [width, pid] = stdout.trim().split(' ');
    assert.equal(width, '60');
    await eventually(() => !isRunning(Number(pid)));
  });

  it('when closed is gone, and what runs or waits is told that the server is the reason', async () => {
    const own = createThumbnailMaker();
    const stalled = { ...imageOf('image/jpeg', Buffer.alloc(100)), open: async () => new Readable({ read: () => undefined }) };
    const ended = Promise.all([1, 2, 3].map(() => assert.rejects(own.make(stalled, 128), Unavailable)));
    await delay(50);
    await own.close();
    await ended;
    await assert.rejects(own.make(stalled, 128), Unavailable);
  });
});
