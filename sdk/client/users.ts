// Who has signed in, as an app asks it: from the headers that the platform writes on each request and that no client can.
import { type DestinationRequest, type PageUrl, USERS_SERVICE } from '../contract/services/users.ts';
import { type Rpc } from '../contract/wire/client.ts';

/** Somebody who has signed in to this app (App Engine: users.User). */
export interface User {
  readonly email: string;
  /** Stable for the account, never given to another one: what to store. */
  readonly userId: string;
  /** For people: the address, without its domain where that is the platform's own. */
  readonly nickname: string;
  readonly authDomain: string;
  readonly organization: string;
  readonly isAdmin: boolean;
}

/** A request of Node, Express and their like, or of fetch. */
export interface RequestWithHeaders {
  readonly headers: { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;
}

export class UsersClient {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /** Who sent the request; undefined when nobody has signed in. */
  currentUser(request: RequestWithHeaders): User | undefined {
    const email = header(request, 'x-appengine-user-email');
    const userId = header(request, 'x-appengine-user-id');
    if (email === '' || userId === '') return undefined;
    return {
      email,
      userId,
      nickname: header(request, 'x-appengine-user-nickname'),
      authDomain: header(request, 'x-appengine-auth-domain'),
      organization: header(request, 'x-appengine-user-organization'),
      isAdmin: this.isAdmin(request),
    };
  }

  /** Whether an administrator of this app sent the request. */
  isAdmin(request: RequestWithHeaders): boolean {
    return header(request, 'x-appengine-user-is-admin') === '1';
  }

  /** Where to send a visitor to sign in, and then on to `destination`: a path, or a URL of this app. Throws LOGIN_REDIRECT_REFUSED. */
  loginUrl(destination: string): Promise<string> {
    return this.#urlOf('loginUrl', destination);
  }

  /** Where to send a visitor to sign out, and then on to `destination`. Throws LOGIN_REDIRECT_REFUSED. */
  logoutUrl(destination: string): Promise<string> {
    return this.#urlOf('logoutUrl', destination);
  }

  async #urlOf(method: 'loginUrl' | 'logoutUrl', destination: string): Promise<string> {
    const request: DestinationRequest = { destination };
    return ((await this.#rpc.call(USERS_SERVICE, method, request, { idempotent: true })) as PageUrl).url;
  }
}

function header({ headers }: RequestWithHeaders, name: string): string {
  if (typeof headers.get === 'function') return (headers as { get(name: string): string | null }).get(name) ?? '';
  const value = (headers as Readonly<Record<string, string | readonly string[] | undefined>>)[name];
  return typeof value === 'string' ? value : (value?.[0] ?? '');
}
