import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpDate, parseHttpDate } from './http-date.ts';
import { isRangeStillGood, judgePreconditions } from './preconditions.ts';

const now = { etag: '"now"', lastModified: Date.UTC(2026, 10, 2, 9, 0, 0, 250) };
const same = 'Mon, 02 Nov 2026 09:00:00 GMT';
const before = 'Mon, 02 Nov 2026 08:59:59 GMT';
const after = 'Mon, 02 Nov 2026 09:00:01 GMT';

const judge = (headers: Record<string, string>, method = 'GET', validators: typeof now | { etag: string } = now) =>
  judgePreconditions({ method, headers }, validators);

test('§13.1.1 If-Match goes on for any of its tags and for *, and fails for all else', () => {
  for (const list of ['"now"', '*', ' * ', '"old", "now"', '"old","now",', ',, "now"', 'W/"now", "now"', '"a,b", "now"'])
    assert.equal(judge({ 'if-match': list }, 'PUT'), 'go-on', list);
  // A weak tag never matches strongly; what is malformed protects by failing.
  for (const list of ['"old"', 'W/"now"', 'now', '"now', '"now" "old"', '', '"NOW"'])
    assert.equal(judge({ 'if-match': list }), 'failed', list);
});

test('§13.1.2 If-None-Match is 304 for reading and 412 for all else, compared weakly', () => {
  for (const list of ['"now"', 'W/"now"', '*', '"old", W/"now"']) {
    assert.equal(judge({ 'if-none-match': list }), 'not-modified', list);
    assert.equal(judge({ 'if-none-match': list }, 'HEAD'), 'not-modified', list);
    assert.equal(judge({ 'if-none-match': list }, 'PUT'), 'failed', list);
  }
  for (const list of ['"old"', 'now', '']) assert.equal(judge({ 'if-none-match': list }), 'go-on', list);
});

test('§13.1.3 If-Modified-Since is 304 unless it changed later; a bad date, another method or an If-None-Match set it aside', () => {
  assert.equal(judge({ 'if-modified-since': same }), 'not-modified');
  assert.equal(judge({ 'if-modified-since': after }, 'HEAD'), 'not-modified');
  assert.equal(judge({ 'if-modified-since': before }), 'go-on');
  assert.equal(judge({ 'if-modified-since': '2026-11-02T09:00:00Z' }), 'go-on');
  assert.equal(judge({ 'if-modified-since': same }, 'PUT'), 'go-on');
  assert.equal(judge({ 'if-modified-since': same, 'if-none-match': '"old"' }), 'go-on');
  assert.equal(judge({ 'if-modified-since': same }, 'GET', { etag: '"now"' }), 'go-on');
});

test('§13.1.4 If-Unmodified-Since fails when it changed later; a bad date or an If-Match set it aside', () => {
  assert.equal(judge({ 'if-unmodified-since': before }), 'failed');
  assert.equal(judge({ 'if-unmodified-since': same }), 'go-on');
  assert.equal(judge({ 'if-unmodified-since': 'yesterday' }), 'go-on');
  assert.equal(judge({ 'if-unmodified-since': before, 'if-match': '"now"' }), 'go-on');
});

test('§13.2.2 what protects comes before what saves: If-Match and If-Unmodified-Since are judged first', () => {
  assert.equal(judge({ 'if-match': '"old"', 'if-none-match': '"now"' }), 'failed');
  assert.equal(judge({ 'if-match': '"now"', 'if-none-match': '"now"' }), 'not-modified');
  assert.equal(judge({ 'if-unmodified-since': before, 'if-modified-since': same }), 'failed');
  assert.equal(judge({ 'if-unmodified-since': same, 'if-modified-since': same }), 'not-modified');
});

test('§13.1.5 If-Range lets a range count for exactly this state only', () => {
  for (const value of ['"now"', same]) assert.equal(isRangeStillGood({ 'if-range': value }, now), true, value);
  for (const value of ['"old"', 'W/"now"', before, after, 'now', '', '"now", "old"'])
    assert.equal(isRangeStillGood({ 'if-range': value }, now), false, value);
  assert.equal(isRangeStillGood({}, now), true);
  assert.equal(isRangeStillGood({ 'if-range': same }, { etag: '"now"' }), false);
});

test('§5.6.7 dates are read in all three forms, and nothing else is a date', () => {
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.equal(parseHttpDate(text), 784_111_777_000, text);
  assert.equal(httpDate(784_111_777_999), 'Sun, 06 Nov 1994 08:49:37 GMT');
  const noDates = ['Sun, 31 Jun 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 24:00:00 GMT', 'Sun, 06 Nov 1994 08:49:37 +0000', '0', '1994'];
  for (const text of noDates) assert.equal(parseHttpDate(text), undefined, text);
});
