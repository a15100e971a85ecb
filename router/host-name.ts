// The Host of a request, taken apart: which labels stand before the platform's domain.
// App Engine writes them `VERSION-dot-SERVICE-dot-ID`; plain dots mean the same where no certificate is in the way.

export interface HostName {
  /** Lower case, without port, brackets kept, no final dot. */
  readonly name: string;
  /** `:8080`, or empty. */
  readonly port: string;
}

const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253}?)\.?(:[0-9]{1,5})?$/i;

/** Undefined when it is not a host at all: empty, with user information, a path, control characters. */
export function parseHost(text: string): HostName | undefined {
  const parts = HOST.exec(text);
  const name = parts?.[1];
  if (!parts || name === undefined) return undefined;
  return { name: name.toLowerCase(), port: parts[2] ?? '' };
}

/** Labels before `domain`, the app's id last; undefined when the name does not lie under the domain. */
export function hostLabels(name: string, domain: string): readonly string[] | undefined {
  if (!name.endsWith(`.${domain}`)) return undefined;
  const labels = name.slice(0, -domain.length - 1).split(/-dot-|\./);
  return labels.every((label) => label.length > 0) ? labels : undefined;
}
