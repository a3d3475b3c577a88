/** An order of a shop, about 300 bytes: what sources send. `id` must be unique within a run. */
export const sampleEvent = (id: string): string =>
  `{"id":"${id}","name":"order.created","body":{"order":"${id}","customer":{"number":"K-20417","country":"DE"},"amount":"112.50","currency":"EUR","lines":[{"sku":"A-1001","count":2,"price":"31.25"},{"sku":"B-7077","count":1,"price":"50.00"}],"channel":"web"},"timestamp":"2026-11-05T12:00:00.000Z"}`;
