// What increment, maximum and minimum make of a property: pure functions of its value and the operand.
//
// What is not a number, or not there, becomes the operand. An integer and a double are compared as the numbers that they are,
// without rounding; where they are the same number, zeros of either sign included, the stored value stays as it is. NaN, on
// either side, is the result. A sum of integers stops at the ends of 64 bits; with a double in it, it is a double.
import { type Value } from '../../sdk/contract/entity.ts';

export type NumberValue = Extract<Value, { readonly kind: 'integer' | 'double' }>;

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

export function isNumber(value: Value | undefined): value is NumberValue {
  return value?.kind === 'integer' || value?.kind === 'double';
}

export function increment(stored: Value | undefined, operand: NumberValue): NumberValue {
  if (!isNumber(stored)) return operand;
  if (stored.kind === 'integer' && operand.kind === 'integer') return { kind: 'integer', value: clamped(stored.value + operand.value) };
  return { kind: 'double', value: Number(stored.value) + Number(operand.value) };
}

export function maximum(stored: Value | undefined, operand: NumberValue): NumberValue {
  if (!isNumber(stored)) return operand;
  return isNaN(stored) || !(isNaN(operand) || stored.value < operand.value) ? stored : operand;
}

export function minimum(stored: Value | undefined, operand: NumberValue): NumberValue {
  if (!isNumber(stored)) return operand;
  return isNaN(stored) || !(isNaN(operand) || stored.value > operand.value) ? stored : operand;
}

function clamped(sum: bigint): bigint {
  if (sum > INTEGER_MAX) return INTEGER_MAX;
  return sum < INTEGER_MIN ? INTEGER_MIN : sum;
}

function isNaN({ value }: NumberValue): boolean {
  return Number.isNaN(value);
}
