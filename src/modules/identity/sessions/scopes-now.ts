import type { Scope } from '../../../foundation/caller.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import type { DeviceStore } from '../devices/device-store.ts';
import { deviceScopesOf, parseScopeList, roles } from '../permissions.ts';
import type { ServiceStore } from '../service-store.ts';
import type { KnownCaller } from '../sign-in/sign-in-method.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';

/** What a caller may do now; undefined when it is gone or its tenant is suspended. */
export type ScopesNow = (who: KnownCaller) => Promise<ReadonlySet<Scope> | undefined>;

export const createScopesNow = ({
  people,
  devices,
  services,
  tenants,
}: {
  people: Pick<PersonStore, 'findPerson'>;
  devices: Pick<DeviceStore, 'findDevice'>;
  services: Pick<ServiceStore, 'findService'>;
  tenants: Pick<TenantStore, 'findTenant'>;
}): ScopesNow => {
  const ofCaller: ScopesNow = async (who) => {
    switch (who.kind) {
      case 'person': {
        const person = await people.findPerson(who, who.id);
        return person && new Set(roles[person.role]);
      }
      case 'service': {
        const service = await services.findService(who, who.id);
        return service && new Set(parseScopeList(service.scopesJson));
      }
      case 'device': {
        const device = await devices.findDevice(who, who.id);
        const person = device && (await people.findPerson(who, device.personId));
        return person && deviceScopesOf(person.role);
      }
      default:
        return who.kind satisfies never;
    }
  };
  return async (who) => ((await tenants.findTenant(who.tenantId))?.state === 'active' ? await ofCaller(who) : undefined);
};
