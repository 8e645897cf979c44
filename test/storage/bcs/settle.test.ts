import { describe, expect, test } from 'vitest';
import { ARRIVES_WITHIN_MS, type Doubt, type Intent, settle } from '../../../src/storage/bcs/settle.ts';

const state = (revision: string, hash = `h${revision}`): Intent => ({ stored: { uid: 'u', revision }, hash });
const GONE: Intent = { stored: null, hash: '' };
const doubt = (intent: Intent, more: Partial<Doubt> = {}): Doubt => ({ ...intent, how: 'open', since: 1_000, tells: true, ...more });

describe('a request whose effect is not known', () => {
  test('is settled when what it wrote is found: no key moves on before', () => {
    expect(settle(doubt(state('5')), state('5').stored, state('6'), 1_001)).toEqual({ is: 'settled' });
    expect(settle(doubt(GONE), null, state('9'), 1_001)).toEqual({ is: 'settled' });
  });

  test('is waited for when something else is to be written: it might overwrite that', () => {
    expect(settle(doubt(state('5')), state('4').stored, state('6'), 1_500)).toEqual({ is: 'wait' });
    expect(settle(doubt(state('5')), null, GONE, 1_500)).toEqual({ is: 'wait' });
    expect(settle(doubt(GONE), state('4').stored, state('9'), 1_500)).toEqual({ is: 'wait' });
  });

  test('is not waited for when the very same is sent once more', () => {
    expect(settle(doubt(state('5')), state('4').stored, state('5'), 1_001)).toEqual({ is: 'resend' });
    expect(settle(doubt(GONE), state('4').stored, GONE, 1_001)).toEqual({ is: 'resend' });
    expect(settle(doubt(state('5', 'a')), state('4').stored, state('5', 'b'), 1_001)).toMatchObject({ is: 'wait' });
  });

  test('after that, finding it stored tells nothing of the first one: only time does', () => {
    const resent = doubt(state('5'), { tells: false });
    expect(settle(resent, state('5').stored, state('6'), 1_001)).toMatchObject({ is: 'wait' });
    expect(settle(resent, state('5').stored, state('6'), 1_000 + ARRIVES_WITHIN_MS)).toEqual({ is: 'settled' });
  });

  test('that is still waited for on its connection holds up the key, the very same too, unless what it wrote is found', () => {
    const pending = doubt(state('5'), { how: 'pending', since: 0 });
    expect(settle(pending, state('4').stored, state('5'), 1e9)).toEqual({ is: 'wait' });
    expect(settle(pending, state('4').stored, state('6'), 1e9)).toEqual({ is: 'wait' });
    expect(settle(pending, state('5').stored, state('6'), 1)).toEqual({ is: 'settled' });
  });

  test('is over when it was answered, whatever the answer: it cannot arrive later', () => {
    expect(settle(doubt(state('5'), { how: 'answered' }), state('4').stored, state('6'), 1_000)).toEqual({ is: 'settled' });
  });
});
