// The payloads of the service `users` on an instance's API socket (App Engine: user). Who has signed in is not asked
// here: it stands in the headers of each request.

export const USERS_SERVICE = 'users';

/** Of `loginUrl` and `logoutUrl`. */
export interface DestinationRequest {
  /** Where to go on to: a path, or a URL of the app itself. */
  readonly destination: string;
}

export interface PageUrl {
  readonly url: string;
}
