import type { Caller, Scope } from '../../../foundation/caller.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { DeviceStore } from '../devices/device-store.ts';
import type { ServiceStore } from '../service-store.ts';
import type { PersonStore } from './person-store.ts';

/** A caller as it sees itself. */
export interface Me {
  readonly id: string;
  readonly kind: Caller['kind'];
  readonly username?: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly tenantId: string;
  readonly role?: string;
  readonly roles?: string[];
  readonly scopes: Scope[];
}

/** Who the caller is and what its session may do. Throws `bad-token` when it was removed a moment ago. */
export const createMe =
  ({
    people,
    devices,
    services,
  }: {
    people: Pick<PersonStore, 'findPerson'>;
    devices: Pick<DeviceStore, 'findDevice'>;
    services: Pick<ServiceStore, 'findService'>;
  }) =>
  async (caller: Caller): Promise<Me> => {
    const { id, kind, tenantId } = caller;
    const known = { id, kind, tenantId, scopes: [...caller.scopes] };
    if (caller.isKnownElsewhere) return known;
    switch (kind) {
      case 'person': {
        const person = await people.findPerson(caller, id);
        if (!person) throw callerGone();
        return {
          ...known,
          username: person.username,
          ...(person.email === null ? {} : { email: person.email }),
          ...(person.displayName === null ? {} : { displayName: person.displayName }),
          role: person.role,
          roles: JSON.parse(person.rolesJson),
        };
      }
      case 'service': {
        const service = await services.findService(caller, id);
        if (!service) throw callerGone();
        return { ...known, displayName: service.name };
      }
      case 'device': {
        const device = await devices.findDevice(caller, id);
        if (!device) throw callerGone();
        return { ...known, ...(device.name === null ? {} : { displayName: device.name }) };
      }
      default:
        return kind satisfies never;
    }
  };

export const callerGone = () => new Problem('bad-token', 'The caller was removed.');
