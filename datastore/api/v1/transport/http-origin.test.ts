import { describe, expect, it } from 'vitest';
import { pageSign } from './http-origin.ts';

const LOOPBACK = { listen: '127.0.0.1', local: '127.0.0.1', isOpenToNetwork: false };
const OPEN = { listen: '0.0.0.0', local: '10.0.0.5', isOpenToNetwork: true };

describe('a request that no page can have sent', () => {
  it.each([
    'localhost',
    'LOCALHOST:8081',
    'shop.localhost:8081',
    '127.0.0.1',
    '127.1.2.3:8081',
    '[::1]:8081',
    '[::1]',
    '[::ffff:127.0.0.1]:1',
  ])('names this machine: %s', (host) => {
    expect(pageSign({ host }, LOOPBACK)).toBeUndefined();
  });

  it('names the host that the server was told to listen on, or the address where it arrived', () => {
    expect(pageSign({ host: 'db.lan:8081' }, { ...LOOPBACK, listen: 'db.lan' })).toBeUndefined();
    expect(pageSign({ host: '10.0.0.5:8081' }, { ...LOOPBACK, local: '10.0.0.5' })).toBeUndefined();
    expect(pageSign({ host: '10.0.0.5:8081' }, { ...LOOPBACK, local: '::ffff:10.0.0.5' })).toBeUndefined();
  });

  it('names this machine as another one does, where others may come', () => {
    expect(pageSign({ host: 'datastore:8081' }, OPEN)).toBeUndefined();
    expect(pageSign({}, OPEN)).toBeUndefined();
  });

  it.each(['same-origin', 'none'])('was asked for by the user: %s', (site) => {
    expect(pageSign({ host: 'localhost', 'sec-fetch-site': site }, LOOPBACK)).toBeUndefined();
  });
});

describe('a request that a page may have sent', () => {
  it.each(['https://evil.example', 'null', 'http://localhost:8081', ''])('has an Origin: %j', (origin) => {
    expect(pageSign({ host: 'localhost', origin }, LOOPBACK)).toMatch(/Origin/);
    expect(pageSign({ host: 'localhost', origin }, OPEN)).toMatch(/Origin/);
  });

  it.each(['cross-site', 'same-site'])('says so: %s', (site) => {
    expect(pageSign({ host: 'localhost', 'sec-fetch-site': site }, LOOPBACK)).toMatch(/web page/);
    expect(pageSign({ host: 'localhost', 'sec-fetch-site': site }, OPEN)).toMatch(/web page/);
  });

  it.each([
    'evil.example',
    'evil.example:8081',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.5',
    '',
    '[::2]',
    'evil:8081:8081',
    undefined,
  ])('names another host: %j', (host) => {
    expect(pageSign({ host }, LOOPBACK)).toMatch(/Host/);
  });
});
