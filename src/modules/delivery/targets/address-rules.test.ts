import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Problem } from '../../../foundation/problem.ts';
import { createAddressRules } from './address-rules.ts';
import { createOutbound } from './outbound-http.ts';

/** Every spelling of an address that is not public by which somebody may try to get inside. */
const notPublic = [
  ...[
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '017700000001',
    '0x7F.1',
    '127.0.0.1.',
    '127.255.255.254',
  ],
  ...['0', '0.0.0.0', '0x0', '10.0.0.1', '10.1', '0xa.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.257', '3232235521'],
  ...['100.64.0.1', '100.127.255.255', '192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.7', '203.0.113.9', '192.88.99.1'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '１２７.０.０.１', '①②⑦.⓪.⓪.①', '127。0。0。1', '%31%32%37.0.0.1'],
  ...[
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:0:127.0.0.1]',
    '[::127.0.0.1]',
  ],
  ...['[64:ff9b::127.0.0.1]', '[64:ff9b::a00:1]', '[64:ff9b:1::8.8.8.8]', '[2002:7f00:1::]', '[2002:a00:1::1]', '[2002:c0a8:101::1]'],
  ...['[2001:0:808:808:0:0:80ff:fffe]', '[2001:0:a00:1:0:0:f7f7:f7f7]', '[2606:4700::5efe:10.0.0.1]', '[2606:4700::200:5efe:7f00:1]'],
  ...[
    '[fc00::1]',
    '[fd12:3456::1]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[3fff::1]',
    '[5f00::1]',
    '[2001:2::1]',
    '[2001:10::1]',
  ],
];

const never = [
  ...['169.254.169.254', '169.254.170.2', '169.254.0.1', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '[fe80::1]', '[febf::1]'],
  ...['[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::169.254.169.254]', '[2002:a9fe:a9fe::1]', '[64:ff9b:1:a9fe:0:a9fe::]'],
  ...[
    '[64:ff9b:1::169.254.169.254]',
    '[::169.254.169.254]',
    '[fd00:ec2::254]',
    '[fd00:ec2::23]',
    '[fd20:ce::254]',
    '100.100.100.200',
    '168.63.129.16',
  ],
];

const publicOnes = [
  ...[
    '8.8.8.8',
    '134744072',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '192.0.1.1',
    '198.20.0.1',
    '223.255.255.254',
  ],
  ...['[2606:4700:4700::1111]', '[2a00:1450::1]', '[::ffff:8.8.8.8]', '[64:ff9b::8.8.8.8]', '[2002:808:808::1]'],
];

const refusalOf = async (allow: readonly string[], host: string): Promise<string | undefined> => {
  const outbound = createOutbound({ allow });
  try {
    await outbound.checkUrl(`http://${host}/path`);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Problem, String(error));
    return error.kind;
  } finally {
    await outbound.close();
  }
};

describe('addresses that a target may have', () => {
  for (const host of [...notPublic, ...never]) {
    it(`http://${host}/ is refused, since it is not public`, async () => {
      assert.equal(await refusalOf([], host), 'address-not-allowed');
    });
  }
  for (const host of never) {
    it(`http://${host}/ is refused even where everything is allowed`, async () => {
      assert.equal(await refusalOf(['0.0.0.0/0', '::/0'], host), 'address-not-allowed');
    });
  }
  for (const host of publicOnes) {
    it(`http://${host}/ is public and may be reached`, async () => {
      assert.equal(await refusalOf([], host), undefined);
    });
  }

  it('an address inside an allowed network may be reached, in whatever form it is written', async () => {
    for (const host of ['127.0.0.1', '2130706433', '[::ffff:127.0.0.1]', '[::1]']) {
      assert.equal(await refusalOf(['127.0.0.0/8', '::1'], host), undefined, host);
    }
    assert.equal(await refusalOf(['127.0.0.0/8'], '10.0.0.1'), 'address-not-allowed');
    assert.equal(await refusalOf(['10.1.2.0/23'], '10.1.3.255'), undefined);
    assert.equal(await refusalOf(['10.1.2.0/23'], '10.1.4.0'), 'address-not-allowed');
  });

  it('an allowed IPv6 network does not open the IPv4 addresses that hide in it', async () => {
    assert.equal(await refusalOf(['::/0'], '[::ffff:10.0.0.1]'), 'address-not-allowed');
  });

  it('a zone does not hide a link-local address', () => {
    assert.match(createAddressRules([]).refusalOf('fe80::1%eth0') ?? '', /never allowed/);
  });

  it('what is not an address is refused', () => {
    assert.match(createAddressRules([]).refusalOf('localhost') ?? '', /not an IP address/);
  });

  it('a malformed network among the allowed ones is found at the start', () => {
    assert.throws(() => createAddressRules(['10.0.0.0/33']));
    assert.throws(() => createAddressRules(['ten']));
  });
});
