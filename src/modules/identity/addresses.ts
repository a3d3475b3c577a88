import ipaddr from 'ipaddr.js';

/** What guesses are counted by: the address, of IPv6 its /64 network, since whoever has one address there has all of them. */
export const addressGroup = (address: string): string => {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (!('parts' in parsed)) return parsed.toString();
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
};

/** Whether two texts name one address: of IPv6 there are many ways to write it. */
export const isSameAddress = (one: string, other: string): boolean => plainOf(one) === plainOf(other);

const plainOf = (address: string): string => (ipaddr.isValid(address) ? ipaddr.process(address).toString() : address);
