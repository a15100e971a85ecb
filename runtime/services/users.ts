// The users service: where an app sends people to sign in or out.
import { z } from 'zod';
import { continueTarget } from '../../router/continue-target.ts';
import { hostLabels, parseHost } from '../../router/host-name.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type PageUrl, USERS_SERVICE } from '../../sdk/contract/services/users.ts';
import { method } from '../../sdk/contract/wire/service.ts';
import { type ApiService } from '../api/service-table.ts';

const DEADLINE_MS = 5_000;
/** Stands for the host that a path belongs to: whichever the visitor is at. */
const ANY_HOST = 'app.invalid';
const request = z.strictObject({ destination: z.string() });

/** `domain` is what host names of apps end with; `port` is where the router listens. */
export function usersApi({ domain, port }: { readonly domain: string; readonly port: number }): ApiService {
  const urlOf =
    (page: 'login' | 'logout', appId: string) =>
    ({ destination }: { readonly destination: string }): PageUrl => ({ url: pageUrl(page, destination, appId, domain, port) });
  return {
    name: USERS_SERVICE,
    resource: 'usersCalls',
    megacyclesPerCall: 0,
    deadlineMs: DEADLINE_MS,
    serviceOf: ({ appId }) => ({
      name: USERS_SERVICE,
      methods: { loginUrl: method(request, urlOf('login', appId)), logoutUrl: method(request, urlOf('logout', appId)) },
    }),
  };
}

/**
 * A path for a path, a whole URL of the same host for a whole URL: sessions belong to a host, so a visitor signs in where
 * the destination is. Throws LOGIN_REDIRECT_REFUSED.
 */
function pageUrl(page: 'login' | 'logout', destination: string, appId: string, domain: string, port: number): string {
  const origin = /^(https?:\/\/)([^/?#\\]*)/i.exec(destination);
  const host = origin?.[2];
  if (host !== undefined && !isHostOf(appId, host, domain, port)) {
    throw new PlatformError('LOGIN_REDIRECT_REFUSED', `"${host.slice(0, 100)}" is no host of the app`);
  }
  const target = continueTarget(destination, host ?? ANY_HOST);
  if (target.length > LIMITS.loginUrlCharactersMax) {
    throw new PlatformError('LOGIN_REDIRECT_REFUSED', `it has more than ${LIMITS.loginUrlCharactersMax} characters`);
  }
  return `${origin?.[0].toLowerCase() ?? ''}/_ah/${page}?continue=${encodeURIComponent(target)}`;
}

/** By name, at the router's port or at none: a proxy in front has the usual ones. */
function isHostOf(appId: string, host: string, domain: string, port: number): boolean {
  const parsed = parseHost(host);
  const labels = parsed && hostLabels(parsed.name, domain);
  return labels?.at(-1) === appId && ['', `:${port}`].includes(parsed?.port ?? '');
}
