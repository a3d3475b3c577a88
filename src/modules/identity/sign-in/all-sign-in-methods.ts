import type { Static } from 'typebox';
import { Type } from '../../../foundation/schema.ts';
import { passwordMethod } from './password.ts';
import { pinMethod } from './pin.ts';
import { secretMethod } from './secret.ts';
import type { SignInMethod, SignInNeeds } from './sign-in-method.ts';

/** Every way to sign in: one file each, one line here. */
const files = [secretMethod, passwordMethod, pinMethod] as const;

/** The body of signing in: exactly one of the methods, told apart by `method`. */
export const SignIn = Type.Unsafe<SignInBody>(
  Type.Union(
    files.map(({ schema }) => schema),
    { examples: files.map(({ example }) => example) },
  ),
);

export type SignInBody = Static<(typeof files)[number]['schema']>;

/** The method that a body names. */
export const openSignInMethods = (needs: SignInNeeds): ((body: SignInBody) => SignInMethod<SignInBody>) => {
  const methods = new Map(files.map((file) => [file.method, file.open(needs)]));
  return ({ method }) => {
    const found = methods.get(method);
    if (!found) throw new Error(`There is no way to sign in by ${method}.`);
    return found as SignInMethod<SignInBody>; // a body of this method satisfies this method's schema, checked before the handler
  };
};
