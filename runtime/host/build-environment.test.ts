import { describe, expect, it } from 'vitest';
import { buildSettings } from './build-environment.ts';

describe('buildSettings', () => {
  it('takes registry, proxy and authorities, and nothing else', () => {
    const own = {
      npm_config_registry: 'http://mirror:4873/',
      NO_PROXY: 'localhost',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_EXTRA_CA_CERTS: import.meta.filename,
      PIP_CERT: import.meta.filename,
      PIP_INDEX_URL: 'https://index/simple',
    };
    expect(buildSettings(own)).toEqual({
      environment: {
        npm_config_registry: 'http://mirror:4873/',
        NO_PROXY: 'localhost',
        NODE_EXTRA_CA_CERTS: '/srv/platform/authorities.pem',
        PIP_CERT: '/srv/platform/pip-authorities.pem',
        PIP_INDEX_URL: 'https://index/simple',
      },
      readOnlyMounts: [
        { from: import.meta.filename, to: '/srv/platform/authorities.pem' },
        { from: import.meta.filename, to: '/srv/platform/pip-authorities.pem' },
      ],
    });
  });

  it('leaves out addresses with a password, and authorities that are not there', () => {
    const own = { HTTPS_PROXY: 'http://me:secret@proxy:3128', http_proxy: 'not an address', NODE_EXTRA_CA_CERTS: '/no/such/file' };
    expect(buildSettings(own)).toEqual({ environment: {}, readOnlyMounts: [] });
  });
});
