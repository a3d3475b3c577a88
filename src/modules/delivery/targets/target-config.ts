import { createRequire } from 'node:module';
import type { Static, TSchema } from 'typebox';
import type { TLocalizedValidationError } from 'typebox/error';
import { type Fault, Problem } from '../../../foundation/problem.ts';
import type { TargetConfig } from './target.ts';

// Loaded with the first config that is checked, not at the start of the server.
const require = createRequire(import.meta.url);
const loadValue = () => (require('typebox/value') as typeof import('typebox/value')).default;

/** A refusal that names each fault of a config. */
export const badConfig = (faults: readonly Fault[]): Problem =>
  new Problem('bad-body', 'The config of the target does not have the right form.', { errors: faults });

/** The config when it has the schema's form; throws Problem `bad-body` naming each fault under `/config`. */
export const parseConfig = <Schema extends TSchema>(schema: Schema, config: unknown): Static<Schema> => {
  const Value = loadValue();
  if (Value.Check(schema, config)) return config;
  const faults = Value.Errors(schema, config)
    .filter(({ keyword }) => keyword !== 'additionalProperties') // each of them is named by an error of its own
    .flatMap((error) => faultsAt(error).map((fault) => ({ in: 'body' as const, ...fault, at: `/config${fault.at}` })));
  throw badConfig(faults);
};

/** A missing member is named at its own place, as everywhere. */
const faultsAt = ({ instancePath, message, ...error }: TLocalizedValidationError): { at: string; why: string }[] => {
  if (error.keyword === 'required')
    return error.params.requiredProperties.map((name) => ({ at: `${instancePath}/${name}`, why: 'is missing' }));
  return [{ at: instancePath, why: error.keyword === 'boolean' ? 'is not known here' : message }];
};

/** A config as it was stored. Throws when it does not have the form in which its kind stores it. */
export const readStored = <Schema extends TSchema>(schema: Schema, config: TargetConfig): Static<Schema> => {
  if (loadValue().Check(schema, config)) return config;
  throw new Error('the stored config of a target is damaged');
};
