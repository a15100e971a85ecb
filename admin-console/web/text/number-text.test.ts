import { describe, expect, it } from 'vitest';
import { bytesText, durationText, microsOf, moneyText, shareText, shortNumberText } from './number-text.ts';
import { amountText } from './usage-text.ts';

describe('numbers as text', () => {
  it.each([
    [0, '0 B'],
    [0.5, '0.5 B'],
    [1, '1 B'],
    [1_023, '1,023 B'],
    [1_024, '1 KiB'],
    [1_536, '1.5 KiB'],
    [64 * 1024 ** 2, '64 MiB'],
    [1024 ** 6, '1,024 PiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  it.each([
    [0, '0 ms'],
    [0.25, '250 µs'],
    [12.345, '12.3 ms'],
    [4_200, '4.2 s'],
    [300_000, '5 min'],
    [8 * 3_600_000, '8 h'],
  ])('%d ms are %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it('keeps three digits that matter', () => {
    expect([0.012345, 12.345, 12_345].map(shortNumberText)).toEqual(['0.0123', '12.3', '12,345']);
    expect([0, 1 / 3, 0.999, 1].map(shareText)).toEqual(['0 %', '33.3 %', '99.9 %', '100 %']);
  });

  it('names amounts in the unit of their resource', () => {
    expect(amountText('cpuMegacycles', 4_320_000)).toBe('1 CPU h');
    expect(amountText('cpuMegacycles', 1_200)).toBe('1,200 Mcycles');
    expect(amountText('storedByteHours', 24e9)).toBe('24 GB h');
    expect(amountText('outgoingBytes', 1e9)).toBe('1 GB');
    expect(amountText('instanceSeconds', 5_400)).toBe('1.5 h');
    expect(amountText('mailRecipients', 1_000)).toBe('1,000');
  });
});

describe('money', () => {
  it.each([
    [0, '$0.00'],
    [2_500_000, '$2.50'],
    [123, '$0.000123'],
    [100_000, '$0.10'],
    [296_330, '$0.296330'],
    [-1_500_000, '-$1.50'],
    [1_234_567_890_000, '$1,234,567.89'],
  ])('%d micro-dollars are exactly %s', (micros, text) => {
    expect(moneyText(micros)).toBe(text);
  });

  it('reads back what it wrote', () => {
    for (const micros of [0, 1, 999_999, 1_000_000, 12_345_678]) expect(microsOf(moneyText(micros))).toBe(micros);
  });

  it.each(['', 'x', '1.2345678', '-1', '1e3', '1.', '.5', '99999999999'])('refuses %j', (text) => {
    expect(microsOf(text)).toBeUndefined();
  });
});
