import { describe, expect, it } from 'vitest';
import { clientTrace, ownCloudTraceContext, ownTraceparent } from './trace-context.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';

describe('a client’s trace', () => {
  it.each([
    ['traceparent', `00-${ID}-00f067aa0ba902b7-01`, undefined, `00-${ID}-00f067aa0ba902b7-01`, `${ID}/67667974448284343;o=1`],
    ['not sampled', `00-${ID}-00f067aa0ba902b7-00`, undefined, `00-${ID}-00f067aa0ba902b7-00`, `${ID}/67667974448284343;o=0`],
    ['flags of tomorrow', `00-${ID}-00f067aa0ba902b7-ff`, undefined, `00-${ID}-00f067aa0ba902b7-01`, `${ID}/67667974448284343;o=1`],
    [
      'a version of tomorrow',
      `cc-${ID}-ffffffffffffffff-01-more`,
      undefined,
      `00-${ID}-ffffffffffffffff-01`,
      `${ID}/18446744073709551615;o=1`,
    ],
    ['Google’s own', undefined, `${ID.toUpperCase()}/255;o=3`, `00-${ID}-00000000000000ff-01`, `${ID}/255;o=3`],
    ['Google’s own without span', undefined, ID, `00-${ID}-0000000000000001-01`, `${ID}/1;o=1`],
    ['both: W3C’s decides', `00-${ID}-0000000000000002-01`, `${'a'.repeat(32)}/9;o=0`, `00-${ID}-0000000000000002-01`, `${ID}/2;o=1`],
    ['both, W3C’s malformed', '00-x', `${'a'.repeat(32)}/9;o=0`, `00-${'a'.repeat(32)}-0000000000000009-00`, `${'a'.repeat(32)}/9;o=0`],
  ])('is continued: %s', (_name, traceparent, cloud, wantParent, wantCloud) => {
    expect(clientTrace(traceparent, cloud)).toMatchObject({ traceparent: wantParent, cloudTraceContext: wantCloud });
  });

  it.each([
    ['nothing', undefined, undefined],
    ['a version that is none', `ff-${ID}-00f067aa0ba902b7-01`, undefined],
    ['more than this version has', `00-${ID}-00f067aa0ba902b7-01-x`, undefined],
    ['upper case', `00-${ID.toUpperCase()}-00f067aa0ba902b7-01`, undefined],
    ['no trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, undefined],
    ['no span', `00-${ID}-${'0'.repeat(16)}-01`, undefined],
    ['two of them', `00-${ID}-00f067aa0ba902b7-01, 00-${ID}-00f067aa0ba902b7-01`, undefined],
    ['Google’s, no trace', undefined, `${'0'.repeat(32)}/1`],
    ['Google’s, a span too large', undefined, `${ID}/18446744073709551616`],
    ['Google’s with a line end', undefined, `${ID}/1;o=1\r\nx: y`],
  ])('is not taken from: %s', (_name, traceparent, cloud) => {
    expect(clientTrace(traceparent, cloud)).toBeUndefined();
  });

  it('keeps its state with a traceparent alone', () => {
    expect(clientTrace(`00-${ID}-00f067aa0ba902b7-01`, undefined)?.keepsState).toBe(true);
    expect(clientTrace(undefined, ID)?.keepsState).toBe(false);
  });
});

it('a request without one begins a trace that reads as a valid one', () => {
  expect(clientTrace(ownTraceparent(ID), undefined)?.cloudTraceContext).toBe(ownCloudTraceContext(ID));
});
